"""The one HTTP session to the API server, for Kopf's watches and the operator's own calls alike.

The token is asked for anew for each request: Kopf logs in again only when one of its own requests is refused.
"""

import ssl
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import aiohttp

from exchangerates.errors import CredentialsError
from exchangerates.tokens import TokenSource

MAX_CONNECTIONS: Final = 64
"""Twenty workers with a call each, and two watches per namespace; more than this many namespaces raise it."""


def open_session(  # noqa: PLR0913 - a session has these parts
    ssl_context: ssl.SSLContext,
    headers: Mapping[str, str],
    tokens: TokenSource | None,
    watching: Callable[[str], None],
    *,
    connections: int = MAX_CONNECTIONS,
    proxy: str | None = None,
) -> aiohttp.ClientSession:
    """Open a session.

    Args:
        ssl_context: Knows the API server's certificate, and the client's own where there is one.
        headers: Sent with every request.
        tokens: Gives the bearer token of each request, or None.
        watching: Told the path of every watch that is opened.
        connections: How many connections there may be at once.
        proxy: The address of an HTTP proxy before the API server, or None.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, ssl=ssl_context),
        headers=headers,
        middlewares=(_with_token(tokens, watching),),
        proxy=proxy,
    )


def _with_token(tokens: TokenSource | None, watching: Callable[[str], None]) -> aiohttp.ClientMiddlewareType:
    async def with_token(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if request.url.query.get("watch") == "true":
            watching(request.url.path)
        try:
            token = None if tokens is None else await tokens.token()
        except CredentialsError as error:
            # What Kopf and `cluster` take for an outage, and try again.
            raise aiohttp.ClientConnectionError(str(error)) from error
        if token is not None:
            request.headers["Authorization"] = f"Bearer {token}"
        response = await handler(request)
        if tokens is not None and response.status == HTTPStatus.UNAUTHORIZED:
            tokens.refused()
        return response

    return with_token
