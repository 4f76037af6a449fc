"""An HTTP proxy before the API server in which a fault sees each request, before and after it is made."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from tests.cluster.middlebox import Middlebox, trusting

Forward = Callable[[web.Request], Awaitable[web.StreamResponse]]
Meddling = Callable[[web.Request, Forward], Awaitable[web.StreamResponse]]
"""What happens to one request: it may answer by itself, or forward it, late or never or for an answer that is lost."""

GOODBYE_S: Final = 0.25
"""For the end of connections with TLS, which takes turns of the loop after the session is closed."""
_ENDS_HERE: Final = frozenset({"connection", "host", "transfer-encoding", "content-length", "keep-alive"})


async def well(request: web.Request, forward: Forward) -> web.StreamResponse:
    """Let a request through."""
    return await forward(request)


class Gate(Middlebox):
    """The proxy.

    Args:
        server: The API server's address.

    Attributes:
        meddling: What happens to requests from now on.
    """

    def __init__(self, server: str) -> None:
        super().__init__()
        self._upstream = server
        self._open: dict[asyncio.Task[Any], web.Request] = {}
        self.meddling: Meddling = well

    def cut(self) -> None:
        """End all connections that have a request under way, watches among them."""
        self._run(self._abort())

    def call(self, act: Callable[[], object]) -> None:
        """Do something in the proxy's own thread."""
        self._loop.call_soon_threadsafe(act)

    async def _listen(self) -> str:
        self._session = ClientSession(
            self._upstream,
            connector=TCPConnector(ssl=trusting(), limit=0),
            timeout=ClientTimeout(total=None),
            auto_decompress=False,
        )
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def _close(self) -> None:
        await self._abort()
        await self._runner.cleanup()
        await self._session.close()
        await asyncio.sleep(GOODBYE_S)

    async def _abort(self) -> None:
        ended = dict(self._open)
        for task, request in ended.items():
            abort(request)
            task.cancel()
        if ended:
            await asyncio.wait(ended)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = request
        try:
            await request.read()
            return await self.meddling(request, self._forward)
        except (ClientError, OSError):
            abort(request)  # the API server is down: to who asks, this is no answer either
            return web.Response()
        finally:
            del self._open[task]

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _ENDS_HERE}
        async with self._session.request(
            request.method, request.path_qs, headers=headers, data=await request.read() or None
        ) as answer:
            back = {name: value for name, value in answer.headers.items() if name.lower() not in _ENDS_HERE}
            if request.query.get("watch") != "true":
                return web.Response(status=answer.status, headers=back, body=await answer.read())
            stream = web.StreamResponse(status=answer.status, headers=back)
            await stream.prepare(request)
            async for chunk in answer.content.iter_any():
                await stream.write(chunk)
            await stream.write_eof()
            return stream


def abort(request: web.Request) -> None:
    """End the connection that a request came by, without an answer."""
    if request.transport is not None:
        request.transport.abort()
