"""`/healthz`, `/readyz` and `/metrics` over plain HTTP, on the event loop that they speak for."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

logger = logging.getLogger(__name__)


@asynccontextmanager
async def serving(
    host: str,
    port: int,
    *,
    problems: Callable[[], list[str]],
    ready: Callable[[], bool],
    metrics: Callable[[], bytes],
) -> AsyncIterator[int]:
    """Serve while the context is open, and give the port.

    Args:
        host: The address to listen on; empty for all, IPv4 and IPv6, of those that the kernel has.
        port: The port, or 0 for a free one.
        problems: What has stalled; anything makes `/healthz` answer 500 with it, and is logged.
        ready: Whether `/readyz` answers 200 rather than 503.
        metrics: The text of `/metrics`.

    Raises:
        OSError: The address cannot be listened on.
    """
    runner = web.AppRunner(_app(problems, ready, metrics), handle_signals=False, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host or None, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _app(problems: Callable[[], list[str]], ready: Callable[[], bool], metrics: Callable[[], bytes]) -> web.Application:
    async def healthz(_: web.Request) -> web.Response:
        found = problems()
        if found:
            # The kubelet's event names the answer's code alone.
            logger.error("the liveness probe is failed, since this has stalled: %s", "; ".join(found))
        return web.Response(text="\n".join(found) or "ok", status=500 if found else 200)

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok") if ready() else web.Response(text="the first list is not done", status=503)

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", scrape)])
    return app
