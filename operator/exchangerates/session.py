"""The one HTTP session to the API server, for Kopf's watches and the operator's own calls alike.

A service account's token is renewed on disk about hourly; it is read anew for each request, since Kopf logs in again
only when one of its own requests is refused.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

SERVICE_ACCOUNT_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
MAX_CONNECTIONS: Final = 64
"""Twenty workers with a call each, and two watches per namespace; more than this many namespaces raise it."""


def open_session(
    ssl_context: ssl.SSLContext,
    headers: Mapping[str, str],
    token_file: Path | None,
    *,
    connections: int = MAX_CONNECTIONS,
    proxy: str | None = None,
) -> aiohttp.ClientSession:
    """Open a session; with a token file, its content goes into every request's Authorization header."""

    async def with_current_token(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if token_file is not None:
            # A kilobyte on a memory file system: a thread would cost more than the read.
            token = token_file.read_text(encoding="utf-8").strip()  # noqa: ASYNC240
            request.headers["Authorization"] = f"Bearer {token}"
        return await handler(request)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, ssl=ssl_context),
        headers=headers,
        middlewares=(with_current_token,),
        proxy=proxy,
    )


def kubeconfig_token_file() -> Path | None:
    """Give the `tokenFile` of the kubeconfig's current user, which Kopf's own reader does not know, or None."""
    for path in (os.environ.get("KUBECONFIG") or "~/.kube/config").split(os.pathsep):
        file = Path(path).expanduser()
        if file.is_file():
            config = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
            context = _named(config, "contexts", config.get("current-context")).get("context") or {}
            user = _named(config, "users", context.get("user")).get("user") or {}
            if user.get("tokenFile"):
                return (file.parent / str(user["tokenFile"])).resolve()
    return None


def _named(config: Mapping[str, Any], kind: str, name: str | None) -> Mapping[str, Any]:
    items: list[Mapping[str, Any]] = config.get(kind) or []
    return next((item for item in items if item.get("name") == name), {})
