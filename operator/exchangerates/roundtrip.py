"""One request and its answer, on a connection of aiohttp's pool.

The pool, TLS, proxies and the parser of answers are aiohttp's. What is left out is what its sessions do besides to each
request, for others' sake: redirects, cookies, an address parsed anew, a task and objects for what may be streamed. That
is 70 of 120 microseconds of CPU time, and an operator with as many requests as two for each object lives by them.

It takes methods that aiohttp does not document: its version is pinned, and the tests of this module make its requests.
"""

import asyncio
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

_NOT_IN_A_TARGET: Final = re.compile(r"[^!-~]|#")
_TWICE: Final = frozenset(("GET", "PUT", "DELETE"))
"""What may be sent again where nobody knows whether it has arrived."""
_ANOTHER_FOLLOWS: Final = frozenset(range(HTTPStatus.CONTINUE, HTTPStatus.OK)) - {HTTPStatus.SWITCHING_PROTOCOLS}
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None)


class TooLarge(Exception):
    """An answer has more bytes than it may."""


class RoundTripper:
    """Makes requests to one server.

    Args:
        connector: The pool.
        server: The server's address, with the path that all others begin with.
        proxy: The address of an HTTP proxy before it, or None.

    Attributes:
        path: Of the server's address.

    Raises:
        ValueError: An address is none, or has a user or password that cannot be sent.
    """

    def __init__(self, connector: aiohttp.BaseConnector, server: str, proxy: str | None) -> None:
        self._connector = connector
        # Never sent itself: by it the pool knows where to connect to, and what every request has for headers.
        self._to = aiohttp.ClientRequest(
            "GET", URL(server), loop=asyncio.get_running_loop(), proxy=None if proxy is None else URL(proxy)
        )
        self.path = self._to.url.raw_path.rstrip("/")
        self._before = ""
        if self._to.proxy and not self._to.is_ssl():  # the requests themselves are the proxy's
            self._before = str(self._to.url.origin())
            if user := self._to.proxy.user:
                self._to.headers["Proxy-Authorization"] = aiohttp.encode_basic_auth(user, self._to.proxy.password or "")

    async def round_trip(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, most: int | None = None
    ) -> tuple[int, bytes]:
        """Send a request, and give the status and the content of its answer.

        Args:
            method: Such as GET, but not HEAD, whose answers have no content.
            target: The path on the server, and the query, percent-encoded where that is needed.
            headers: Beside those that every request has.
            body: Its content.
            most: How many bytes the answer may have, or None.

        Raises:
            aiohttp.ClientError: There was no answer, or none that can be read.
            ValueError: The request cannot be sent as it is.
            TooLarge: The answer has more bytes than it may.
        """
        request = self._head(method, target, headers, len(body)) + body
        try:
            return await self._once(request, most)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # A connection that has rested may be closed by the server just when it is used again.
            if method not in _TWICE:
                raise
        return await self._once(request, most)

    async def _once(self, request: bytes, most: int | None) -> tuple[int, bytes]:
        connection = await self._connection()
        try:
            answer = await _exchange(connection, request, most)
        except HttpProcessingError as error:
            connection.close()
            raise aiohttp.ClientPayloadError(f"no HTTP: {error.message}") from error
        except BaseException:
            connection.close()  # or what still comes would be the next request's answer
            raise
        connection.release()
        return answer

    async def _connection(self) -> Connection:
        if self._connector.closed:
            raise aiohttp.ClientConnectionError("the session is closed")
        try:
            return await self._connector.connect(self._to, [], _NO_TIMEOUT)
        except aiohttp.ClientHttpProxyError as error:  # its own text has the proxy's password
            raise aiohttp.ClientConnectionError(f"the proxy answers HTTP {error.status}: {error.message}") from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise aiohttp.ClientConnectionError("the session is closed") from None  # so a pool ends who waits for it

    def _head(self, method: str, target: str, headers: Mapping[str, str], length: int) -> bytes:
        if self._to.auth is not None and "Authorization" in headers:
            raise ValueError("cannot combine a token with a password, also not one that is encoded in the address")
        headers = {**self._to.headers, **headers, "Content-Length": str(length)}
        lines = [
            f"{method} {self._before}{self.path}{target} HTTP/1.1",
            *(f"{name}: {headers[name]}" for name in headers),
        ]
        head = "\r\n".join((*lines, "\r\n"))
        if _NOT_IN_A_TARGET.search(target) or not head.count("\r") == head.count("\n") == len(lines) + 1:
            raise ValueError(f"{method} {target!r} or a header of it has what cannot be sent")
        return head.encode()


async def _exchange(connection: Connection, request: bytes, most: int | None) -> tuple[int, bytes]:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise aiohttp.ServerDisconnectedError
    if protocol.should_close:  # what has come while it rested would be taken for the answer
        raise aiohttp.ServerDisconnectedError("it has sent what it was not asked for")
    protocol.set_response_params(read_until_eof=True)
    transport.write(request)
    try:
        message, content = await protocol.read()
        while message.code in _ANOTHER_FOLLOWS:
            message, content = await protocol.read()
    except aiohttp.ServerDisconnectedError as error:
        raise aiohttp.ServerDisconnectedError from error  # its own text has all headers that have come
    return message.code, await (content.read() if most is None else _read(content, most))


async def _read(content: aiohttp.StreamReader, most: int) -> bytes:
    text = bytearray()
    async for part in content.iter_any():
        text += part
        if len(text) > most:
            raise TooLarge
    return bytes(text)
