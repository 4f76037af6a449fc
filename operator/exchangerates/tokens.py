"""Where a bearer token comes from: a file that somebody else renews, or a program that is run for it.

Source of the plugin's protocol: Kubernetes' documentation, "client-go credential plugins".
"""

import asyncio
import contextlib
import datetime as dt
import json
import math
import os
import re
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from exchangerates.errors import CredentialsError

PLUGIN_TIMEOUT_S: Final = 25.0
"""Less than a call to the API server may take, which waits for it."""
LOOK_AGAIN_S: Final = 1.0
"""How long a token's file is not looked at again; the token before stays good for minutes."""
RENEW_BEFORE_S: Final = 10.0
"""How long before its end a token is renewed."""
_TOLD_CHARS: Final = 300
_TOKEN: Final = re.compile("[!-~]+")
"""What a header can carry, and every token is."""


def is_token(text: object) -> bool:
    """Tell whether this can be a bearer token: the client refuses a header with a line break, and a space ends it."""
    return isinstance(text, str) and _TOKEN.fullmatch(text) is not None


class TokenSource(Protocol):
    """Gives the bearer token for the next request."""

    async def token(self) -> str | None:
        """Give the token, or None for a request without one.

        Raises:
            CredentialsError: It cannot be had.
        """

    def refused(self) -> None:
        """Take up that the API server did not take the last token."""


@dataclass(slots=True)
class TokenFile:
    """A token in a file: a service account's is renewed there about hourly, so the file is looked at every second."""

    path: Path
    _token: str = field(default="", repr=False)
    _version: tuple[int, ...] = ()
    """What tells the file from a later one; empty where it has to be read."""
    _looked_at: float = field(default=-math.inf, compare=False)

    async def token(self) -> str:
        """Read the file where it has changed: on a memory file system, where a thread would cost more than the read."""
        now = time.monotonic()
        if self._version and now < self._looked_at + LOOK_AGAIN_S:
            return self._token
        try:
            found = self.path.stat()
            version = (found.st_ino, found.st_mtime_ns, found.st_size)
            if version != self._version:
                self._token, self._version = self._read(), version
            self._looked_at = now
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else "it does not hold one token and nothing else"
            raise CredentialsError(
                f"the token file {self.path} cannot be read: {cause}; correct the kubeconfig's "
                "tokenFile, or the Pod's service account"
            ) from error
        return self._token

    def _read(self) -> str:
        token = self.path.read_text(encoding="utf-8").strip()
        if not is_token(token):
            raise ValueError(self.path)
        return token

    def refused(self) -> None:
        """Read the file again at the next request, whatever it looks like."""
        self._version = ()


@dataclass(frozen=True, slots=True)
class PluginCredential:
    """What a plugin gave.

    Attributes:
        token: A bearer token, or None.
        certificate: A client certificate, PEM, or None.
        key: Its private key, PEM, or None.
        expires: When it ends, or None where that is not told.
    """

    token: str | None
    certificate: str | None
    key: str | None
    expires: dt.datetime | None


class ExecPlugin:
    """A program that a kubeconfig names, such as a cloud's; run again when what it gave has ended or was refused.

    Args:
        raw: The kubeconfig's `exec`.
        directory: The kubeconfig's directory, to which a command with a slash is relative.
        cluster: What the plugin is told of the cluster where it asks for it.
    """

    def __init__(self, raw: Mapping[str, Any], directory: Path, cluster: Mapping[str, Any]) -> None:
        self._raw = raw
        self._directory = directory
        self._cluster = cluster
        self._held: PluginCredential | None = None
        self._lock = asyncio.Lock()

    async def token(self) -> str | None:
        """Give the held token, or a new one."""
        return (await self.credential()).token

    def refused(self) -> None:
        """Forget what was refused."""
        self._held = None

    async def credential(self) -> PluginCredential:
        """Give the held credential, or run the plugin.

        Raises:
            CredentialsError: The plugin cannot be run, fails, or gives nothing to use.
        """
        async with self._lock:
            soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=RENEW_BEFORE_S)
            if self._held is None or (self._held.expires is not None and self._held.expires <= soon):
                self._held = await self._run()
            return self._held

    async def _run(self) -> PluginCredential:
        command, version = str(self._raw.get("command")), self._raw.get("apiVersion")
        spec = {"interactive": False, **({"cluster": self._cluster} if self._raw.get("provideClusterInfo") else {})}
        info = json.dumps({"kind": "ExecCredential", "apiVersion": version, "spec": spec})
        extra = {str(item["name"]): str(item["value"]) for item in self._raw.get("env") or ()}
        program = str(self._directory / command) if "/" in command else command
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                *(str(part) for part in self._raw.get("args") or ()),
                env={**os.environ, **extra, "KUBERNETES_EXEC_INFO": info},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                process_group=0,  # so that what it starts can be ended with it
            )
        except OSError as error:
            hint = self._raw.get("installHint") or "install it, or correct the kubeconfig's exec.command"
            raise CredentialsError(f"the credential plugin {command} cannot run: {error.strerror}; {hint}") from error
        try:
            async with asyncio.timeout(PLUGIN_TIMEOUT_S):
                out, err = await process.communicate()
        except TimeoutError:
            raise CredentialsError(
                f"the credential plugin {command} did not end within {PLUGIN_TIMEOUT_S:.0f} s; try it by hand: it must "
                "not ask questions"
            ) from None
        finally:
            if process.returncode is None:  # also where the caller has given up
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()  # which waits for all that hold its output open
        if process.returncode != 0:
            said = err.decode(errors="replace").strip()[-_TOLD_CHARS:]
            raise CredentialsError(f"the credential plugin {command} ended with {process.returncode}: {said}")
        return _credential(command, version, out)


def _credential(command: str, version: object, out: bytes) -> PluginCredential:
    """Read a plugin's answer. What it printed is in no message: it is a secret."""
    found: PluginCredential | None = None
    try:
        answer = json.loads(out)
        status, same = answer["status"], (answer["kind"], answer["apiVersion"]) == ("ExecCredential", version)
        expires = status.get("expirationTimestamp")
        found = PluginCredential(
            token=status.get("token"),
            certificate=status.get("clientCertificateData"),
            key=status.get("clientKeyData"),
            expires=dt.datetime.fromisoformat(expires) if expires else None,
        )
        # Without its zone nobody knows when it ends.
        timely = found.expires is None or found.expires.tzinfo is not None
        fits = found.token is None or is_token(found.token)
        usable = same and timely and fits and bool(found.token or (found.certificate and found.key))
    except (ValueError, KeyError, TypeError, AttributeError):
        usable = False
    if found is None or not usable:
        raise CredentialsError(
            f"the credential plugin {command} did not print an ExecCredential of {version} with a token or "
            "certificate; correct the kubeconfig's exec"
        )
    return found
