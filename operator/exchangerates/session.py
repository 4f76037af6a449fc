"""The one way to the API server, for Kopf's watches and the operator's own calls alike: one pool, one log-in.

The token is asked for anew for each request: Kopf logs in again only when one of its own requests is refused. Those get
it by a middleware. The operator's own, the most by far, are made without, and without all else that costs CPU time.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp

from exchangerates.errors import CredentialsError
from exchangerates.news import Known, NewsOnly
from exchangerates.roundtrip import RoundTripper
from exchangerates.tokens import TokenSource

WATCHES: Final = 2
"""Connections that one namespace takes for good: a watch of each kind."""
CALLS: Final = 60
"""Connections for all else: forty workers with a call each, their events, the lists, and what Kopf lists."""


@dataclass(frozen=True, slots=True)
class Session:
    """An open session.

    Attributes:
        client: Kopf's, whose lists and watches show news only. Closing it closes the session.
        headers: Sent with every request.
        tokens: Gives the bearer token of each request, or None.
        trips: Makes the operator's own requests.
    """

    client: aiohttp.ClientSession
    headers: Mapping[str, str]
    tokens: TokenSource | None
    trips: RoundTripper

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, most: int | None
    ) -> tuple[int, bytes]:
        """Make one of the operator's own requests; what it takes, gives and raises is as for `RoundTripper.round_trip`.

        There is no token to be had, the session is being closed, or the answer redirects: that, too, is an
        `aiohttp.ClientError`.
        """
        authorization = await _authorization(self.tokens)
        if self.client.closed:  # meanwhile
            raise aiohttp.ClientConnectionError("the session is being renewed")
        headers = {**self.headers, **headers, **authorization}
        status, text = await self.trips.round_trip(method, target, headers, body, most=most)
        _heed(self.tokens, status)
        return status, text


def open_session(  # noqa: PLR0913 - a session has these parts
    server: str,
    ssl_context: ssl.SSLContext,
    headers: Mapping[str, str],
    tokens: TokenSource | None,
    *,
    watching: Callable[[str], None],
    known: Known,
    namespaces: int,
    proxy: str | None = None,
) -> Session:
    """Open a session.

    Args:
        server: The API server's address.
        ssl_context: Knows the API server's certificate, and the client's own where there is one.
        headers: Sent with every request.
        tokens: Gives the bearer token of each request, or None.
        watching: Told the path of every watch that is opened.
        known: Tells what of the lists and the watches Kopf is not to see.
        namespaces: How many are watched each by itself; 1 for all at once. Their watches leave room.
        proxy: The address of an HTTP proxy before the API server, or None.

    Raises:
        ValueError: An address is none, or has a user or password that cannot be sent.
    """
    connector = aiohttp.TCPConnector(limit=CALLS + WATCHES * namespaces, ssl=ssl_context)
    trips = RoundTripper(connector, server, proxy)
    client = aiohttp.ClientSession(
        connector=connector,
        # Not its own headers: it would send these to the proxy too, which is not to know a token.
        middlewares=(_news_only(known), _with_headers(headers, tokens, watching)),
        proxy=proxy,
    )
    return Session(client, headers, tokens, trips)


async def _authorization(tokens: TokenSource | None) -> Mapping[str, str]:
    try:
        token = None if tokens is None else await tokens.token()
    except CredentialsError as error:
        raise aiohttp.ClientConnectionError(str(error)) from error
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def _heed(tokens: TokenSource | None, status: int) -> None:
    if tokens is not None and status == HTTPStatus.UNAUTHORIZED:
        tokens.refused()
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:  # to follow it would take the token along
        raise aiohttp.ClientConnectionError(
            f"it redirects (HTTP {status}), as no API server does; correct the server's address"
        )


def _with_headers(
    headers: Mapping[str, str], tokens: TokenSource | None, watching: Callable[[str], None]
) -> aiohttp.ClientMiddlewareType:
    async def with_headers(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers.update({**headers, **await _authorization(tokens)})
        response = await handler(request)
        try:
            _heed(tokens, response.status)
        except aiohttp.ClientConnectionError:
            response.close()
            raise
        if request.url.query.get("watch") == "true" and response.status == HTTPStatus.OK:
            watching(request.url.path)
        return response

    return with_headers


def _news_only(known: Known) -> aiohttp.ClientMiddlewareType:
    async def news_only(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        if request.method == "GET" and response.status == HTTPStatus.OK:
            shown = NewsOnly(response.content, known, request.url.raw_path)
            response.content = shown  # type: ignore[assignment] # looks like one
        return response

    return news_only
