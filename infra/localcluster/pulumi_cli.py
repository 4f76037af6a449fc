"""Drives the stack with the Pulumi CLI, where that is on PATH, with its state in a directory of the cluster's own."""

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import yaml

from exchangerates_infra.project import PROJECT, ROOT
from localcluster.errors import LocalClusterError

_SALT: Final = "encryptionsalt"


def find_pulumi() -> str | None:
    """Give the CLI's path, or None where it is not on PATH."""
    return shutil.which("pulumi")


class PulumiStack:
    """One stack with the CLI.

    Args:
        pulumi: The CLI's path.
        directory: Where its state is kept.
        stack: The name of the stack file.
    """

    def __init__(self, pulumi: str, directory: Path, stack: str) -> None:
        self._pulumi = pulumi
        self._directory = directory
        self._stack = stack
        self._stack_file = ROOT / f"Pulumi.{stack}.yaml"
        self._config_file = directory / self._stack_file.name

    def up(self, overrides: Mapping[str, object], *arguments: str) -> None:
        """Bring the cluster to what the program says.

        Args:
            overrides: Values in place of the stack file's, by key without the project's name.
            arguments: Further arguments of `pulumi up`.

        Raises:
            LocalClusterError: The CLI failed; it has said why.
        """
        self._select(overrides)
        self._run("up", "--yes", "--skip-preview", *arguments)

    def destroy(self) -> None:
        """Remove what the stack made.

        Raises:
            LocalClusterError: The CLI failed; it has said why.
        """
        self._run("destroy", "--yes", "--skip-preview")

    def _select(self, overrides: Mapping[str, object]) -> None:
        """Make the stack where it is new, and write its values: the CLI saves what it is told to the file it reads."""
        (self._directory / "state").mkdir(parents=True, exist_ok=True)
        with _only_one():
            committed = self._stack_file.read_text(encoding="utf-8")
            try:
                self._call("stack", "select", "--create", self._stack)
                made = yaml.safe_load(self._stack_file.read_text(encoding="utf-8"))
            finally:
                # A new stack's salt goes into the committed file; it is of this directory's state alone.
                self._stack_file.write_text(committed, encoding="utf-8")
        config = yaml.safe_load(committed)
        if self._config_file.exists():
            config[_SALT] = yaml.safe_load(self._config_file.read_text(encoding="utf-8")).get(_SALT)
        config[_SALT] = made.get(_SALT) or config.get(_SALT)
        config["config"] |= {f"{PROJECT}:{key}": value for key, value in overrides.items()}
        kept = {key: value for key, value in config.items() if value is not None}
        self._config_file.write_text(yaml.safe_dump(kept), encoding="utf-8")

    def _run(self, command: str, *arguments: str) -> None:
        self._call(command, *arguments, *self._which())

    def _which(self) -> tuple[str, ...]:
        return ("--stack", self._stack, "--config-file", str(self._config_file))

    def _call(self, *arguments: str) -> None:
        environment = self._environment()
        code = _wait_out(self._command(*arguments), environment)
        if code != 0:
            unlock = (
                f"PULUMI_BACKEND_URL={shlex.quote(environment['PULUMI_BACKEND_URL'])} PULUMI_CONFIG_PASSPHRASE= pulumi"
            )
            raise LocalClusterError(
                f"`pulumi {' '.join(arguments)}` ended with {code}; what it said is above. Where it says that the "
                f"stack is locked, and no pulumi is at work any more: `{unlock} cancel --yes --stack {self._stack}`. "
                "`up --without-pulumi` applies the same objects without the CLI."
            )

    def _command(self, *arguments: str) -> list[str]:
        return [self._pulumi, "--cwd", str(ROOT), "--non-interactive", *arguments]

    def _environment(self) -> dict[str, str]:
        uv = os.environ.get("UV", "")
        return {
            **os.environ,
            # The program's toolchain is uv, which may be known to this process only.
            "PATH": os.pathsep.join(filter(None, [str(Path(uv).parent) if uv else "", os.environ.get("PATH")])),
            "PULUMI_BACKEND_URL": f"file://{self._directory / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }


@contextmanager
def _only_one() -> Iterator[None]:
    """Keep others from the stack files while they are not as they were committed."""
    directory = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _wait_out(command: list[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end, also after a Ctrl-C: killed at work, the CLI leaves the stack locked and half noted.

    In a session of its own it hears of each Ctrl-C once, from here: the first lets it end what it has begun, the
    second makes it stop at once.
    """
    interrupt: KeyboardInterrupt | None = None
    with subprocess.Popen(command, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True) as process:
        while process.returncode is None:
            try:
                process.wait()
            except KeyboardInterrupt as pressed:
                interrupt = pressed
                process.send_signal(signal.SIGINT)
    if interrupt is not None:
        raise interrupt
    return process.returncode
