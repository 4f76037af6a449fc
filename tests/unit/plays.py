"""Servers that say whatever they like, and the operator's connections to them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias

from exchangerates.connection import Connection
from exchangerates.news import NOTHING
from exchangerates.session import Session, open_session

Play: TypeAlias = Callable[["Server", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
DEADLINE_S: Final = 60.0
TOKEN: Final = "t0ken"
PLAIN: Final = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}'


class Server:
    """Counts its connections, and keeps what it was asked."""

    def __init__(self) -> None:
        self.url, self.connections = "", 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    async def asked(self, reader: asyncio.StreamReader) -> None:
        """Wait for a request."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
        self.bodies.append(await reader.readexactly(int(length or b"0")))
        self.heads.append(head)


@asynccontextmanager
async def serving(play: Play, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    """Play this to each connection on loopback, and end it afterwards."""
    server, playing = Server(), set[asyncio.Task[None] | None]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        playing.add(asyncio.current_task())
        server.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await play(server, reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(connected, host, 0) as listening, asyncio.timeout(DEADLINE_S):
        port = listening.sockets[0].getsockname()[1]
        server.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        yield server
        await asyncio.gather(*filter(None, playing))


def answering(first: bytes, *, stay: bool = True) -> Play:
    """Give the first request of a connection this answer, and then end it or give plain ones."""

    async def play(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.asked(reader)
        writer.write(first)
        while stay:
            await server.asked(reader)
            writer.write(PLAIN)

    return play


class Tokens:
    """Has one token."""

    def __init__(self, token: str = TOKEN) -> None:
        self._token = token

    async def token(self) -> str:
        """Give it."""
        return self._token

    def refused(self) -> None:
        """Have no other."""


@asynccontextmanager
async def connected_to(
    server: str, *, tokens: Tokens | None = None, authorization: str = "", proxy: str | None = None
) -> AsyncIterator[tuple[Connection, Session]]:
    """Give a connection to a server."""
    headers = {"Authorization": authorization} if authorization else {}
    session = open_session(
        server,
        ssl.create_default_context(),
        headers,
        tokens,
        watching=lambda _: None,
        known=NOTHING,
        namespaces=1,
        proxy=proxy,
    )
    found = Connection()
    found.connect(session)
    async with session.client:
        yield found, session


def with_password(url: str, user: str = "somebody:secret") -> str:
    """Give an address with user and password."""
    return url.replace("//", f"//{user}@")
