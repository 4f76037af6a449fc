"""A TCP proxy before the API server that can lose bytes. It ends TLS itself, so that it sees what is a watch."""

import asyncio
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

from tests.cluster.middlebox import Middlebox, trusting

_WATCH: Final = b"watch=true"
_CHUNK: Final = 65536


class Proxy(Middlebox):
    """The proxy.

    Args:
        server: The API server's address.
        host: The address to listen on.
        tls: The certificate for it; without one it takes plain HTTP.

    Attributes:
        port: Its port.
        opened: Watches that were opened through it.
    """

    def __init__(self, server: str, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._upstream = urlsplit(server)
        self._host, self._own_tls = host, tls
        self._tls = trusting()
        self._connections: dict[asyncio.Task[Any], bytes] = {}
        """The path of the watch that each carries, if it does."""
        self._swallowed: set[asyncio.Task[Any]] = set()
        self._swallowing: bytes | None = None
        self._silent = False
        self._refusing = False
        self._losing: bytes | None = None
        self.opened = 0
        self.port = 0

    def swallow_open(self) -> None:
        """Lose every further byte of the connections that are open now; they stay open. New ones are well."""
        self._run(self._swallow(set(self._connections)))

    def swallow_watches(self, of: str = "/") -> None:
        """Lose every further byte of the watches with this in their path, of those that are open and that will be."""
        self._swallowing = of.encode()

    def lose_requests(self, to: str) -> None:
        """Lose every request with this in its path: nobody answers it."""
        self._losing = to.encode()

    def silence(self) -> None:
        """Lose every further byte of all connections, also of those that will be: they are taken, and none answers."""
        self._silent = True

    def cut(self) -> None:
        """End all connections, and refuse new ones until `heal`."""
        self._refusing = True
        self._run(self._end_connections())

    def heal(self) -> None:
        """Be well again; connections that lost bytes are ended."""
        self._run(self._end_connections())
        self._swallowing, self._losing, self._silent, self._refusing = None, None, False, False

    async def _listen(self) -> str:
        self._server = await asyncio.start_server(self._accept, self._host, 0, ssl=self._own_tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return f"{'https' if self._own_tls else 'http'}://{self._host}:{self.port}"

    async def _close(self) -> None:
        self._server.close()
        await self._end_connections()

    async def _swallow(self, connections: set[asyncio.Task[Any]]) -> None:
        self._swallowed |= connections

    async def _end_connections(self) -> None:
        ended = tuple(self._connections)
        for connection in ended:
            connection.cancel()
        if ended:
            await asyncio.wait(ended)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._refusing:
            writer.close()
            return
        self._connections[task] = b""
        out: asyncio.StreamWriter | None = None
        try:
            back, out = await asyncio.open_connection(self._upstream.hostname, self._upstream.port, ssl=self._tls)
            there = asyncio.create_task(self._forward(task, reader, out, requests=True))
            here = asyncio.create_task(self._forward(task, back, writer, requests=False))
            try:
                await asyncio.wait({there, here}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                there.cancel()
                here.cancel()
                await asyncio.gather(there, here, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # the other side is down, or this proxy ends: either way this connection does
        finally:
            del self._connections[task]
            self._swallowed.discard(task)
            for side in (writer, out):
                if side is not None:
                    side.transport.abort()

    async def _forward(
        self, task: asyncio.Task[Any], source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, requests: bool
    ) -> None:
        while data := await source.read(_CHUNK):
            if requests and _WATCH in data:
                self._connections[task] = data.split(b"?")[0]
                self.opened += 1
            if requests and self._losing is not None and self._losing in data.split(b"\r\n", 1)[0]:
                continue
            if self._silent or task in self._swallowed or self._is_swallowed(self._connections[task]):
                continue
            sink.write(data)
            await sink.drain()

    def _is_swallowed(self, watch: bytes) -> bool:
        return self._swallowing is not None and self._swallowing in watch
