"""One request and its answer, on a connection of an aiohttp session's pool.

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

_NOT_ON_A_LINE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What would end a line of a request, and begin another one."""
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None)


class TooLarge(Exception):
    """An answer has more bytes than it may."""


class RoundTripper:
    """Makes requests to one server.

    Args:
        client: Whose connections are used, and whose headers are sent.
        server: The server's address, with the path that all others begin with.
        proxy: The address of an HTTP proxy before it, or None.

    Attributes:
        path: Of the server's address.
    """

    def __init__(self, client: aiohttp.ClientSession, server: str, proxy: str | None) -> None:
        self._client = client
        # Never sent itself: by it the pool knows where to connect to, and what every request has for headers.
        self._to = aiohttp.ClientRequest(
            "GET",
            URL(server),
            headers=client.headers,
            loop=asyncio.get_running_loop(),
            proxy=None if proxy is None else URL(proxy),
            session=client,
        )
        self.path = self._to.url.raw_path.rstrip("/")
        self._before = str(self._to.url.origin()) if proxy and not self._to.is_ssl() else ""

    async def round_trip(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, most: int | None = None
    ) -> tuple[int, bytes]:
        """Send a request, and give the status and the content of its answer.

        Args:
            method: Such as GET.
            target: The path on the server, and the query, percent-encoded where that is needed.
            headers: Beside those of the session.
            body: Its content.
            most: How many bytes the answer may have, or None.

        Raises:
            aiohttp.ClientError: There was no answer, or none that can be read.
            ValueError: The request cannot be sent as it is.
            TooLarge: The answer has more bytes than it may.
        """
        head, connector = self._head(method, target, headers, len(body)), self._client.connector
        if connector is None:
            raise aiohttp.ClientConnectionError("the session is closed")
        connection = await connector.connect(self._to, [], _NO_TIMEOUT)
        try:
            answer = await _exchange(connection, head + body, most)
        except HttpProcessingError as error:
            connection.close()
            raise aiohttp.ClientPayloadError(f"no HTTP: {error.message}") from error
        except BaseException:
            connection.close()  # or what still comes would be the next request's answer
            raise
        connection.release()
        return answer

    def _head(self, method: str, target: str, headers: Mapping[str, str], length: int) -> bytes:
        common = self._to.headers
        if "Authorization" in headers and "Authorization" in common:
            raise ValueError("cannot combine a token with a password, also not one that is encoded in the address")
        lines = [
            f"{method} {self._before}{self.path}{target} HTTP/1.1",
            *(f"{name}: {value}" for name, value in common.items()),
            *(f"{name}: {value}" for name, value in headers.items()),
            f"Content-Length: {length}",
        ]
        if " " in target or any(map(_NOT_ON_A_LINE.search, lines)):
            raise ValueError(f"{method} {target!r} or a header of it has what cannot be sent")
        return "\r\n".join((*lines, "\r\n")).encode()


async def _exchange(connection: Connection, request: bytes, most: int | None) -> tuple[int, bytes]:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(read_until_eof=True)
    transport.write(request)
    message, content = await protocol.read()
    while message.code < HTTPStatus.OK:  # another answer follows
        message, content = await protocol.read()
    return message.code, await (content.read() if most is None else _read(content, most))


async def _read(content: aiohttp.StreamReader, most: int) -> bytes:
    text = bytearray()
    async for part in content.iter_any():
        text += part
        if len(text) > most:
            raise TooLarge
    return bytes(text)
