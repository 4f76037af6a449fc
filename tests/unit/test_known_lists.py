"""A list that Kopf makes right after the operator's own: Kopf gets one page of it, and watches from the own one on."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.unit.kubeconfigs import without_tls

from exchangerates import connection
from exchangerates.api import API_VERSION, KIND
from exchangerates.cluster import Cluster
from exchangerates.handlers import log_in

PATH = f"/apis/{API_VERSION}/exchangerates"
OBJECTS = 6


@dataclass
class Server:
    """An API server behind a path of its own, each of whose lists is of a later version; and who is logged in there."""

    cluster: Cluster = field(default_factory=Cluster)
    client: aiohttp.ClientSession = field(init=False)
    list_url: str = ""
    finalizers: dict[str, list[str]] = field(default_factory=dict)
    version: int = 99

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a list, in pages."""
        limit, start = int(request.query["limit"]), int(request.query.get("continue", "0"))
        if not start:
            self.version += 1
        items = [self._item(number) for number in range(OBJECTS)][start : start + limit]
        more = {"continue": str(start + limit)} if start + limit < OBJECTS else {}
        metadata = {"resourceVersion": str(self.version), **more}
        return web.json_response({"kind": f"{KIND}List", "metadata": metadata, "items": items})

    def _item(self, number: int) -> dict[str, Any]:
        metadata = {"namespace": "default", "name": f"rate-{number}", "uid": f"uid-{number}", "resourceVersion": "7"}
        return {"metadata": {**metadata, **self.finalizers}, "spec": {"currency": "USD"}}


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """Run the server on loopback, and have the operator log in there."""
    server, app = Server(), web.Application()
    app.router.add_get(f"/clusters/1{PATH}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/clusters/1"
        monkeypatch.setenv("KUBECONFIG", without_tls(tmp_path / "config", url))
        async with (await log_in(server.cluster, lambda _: None)).aiohttp_session as server.client:
            server.list_url = url + PATH
            yield server
    finally:
        await runner.cleanup()


async def own_list(server: Server) -> None:
    """List as the operator does."""
    assert len([seen async for seen in server.cluster.list_exchange_rates(None)]) == OBJECTS


async def kopfs_list(server: Server) -> tuple[int, str]:
    """List as Kopf does; give how many objects that has shown, and the version from which it watches."""
    shown, token = 0, ""
    while True:
        params = {"limit": "2", **({"continue": token} if token else {})}
        async with server.client.get(server.list_url, params=params) as response:
            page = json.loads(await response.read())
        shown += len(page["items"])
        token = page["metadata"].get("continue", "")
        if not token:
            return shown, page["metadata"]["resourceVersion"]


async def test_kopf_watches_from_where_the_own_list_was_made(server: Server) -> None:
    """Once: where its watch cannot begin there it lists everything, or it would come back for ever."""
    await own_list(server)
    assert await kopfs_list(server) == (2, "100")
    assert await kopfs_list(server) == (OBJECTS, "102")


async def test_what_has_finalizers_is_kopfs_to_see(server: Server) -> None:
    """One of its own may be among them, of another operator that was here before."""
    server.finalizers = {"finalizers": ["kopf.zalando.org/KopfFinalizerMarker"]}
    await own_list(server)
    assert await kopfs_list(server) == (OBJECTS, "101")


async def test_a_watch_does_not_begin_in_the_far_past(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server does not keep the events of long ago."""
    monkeypatch.setattr(connection, "WATCHES_GO_BACK_S", 0.0)
    await own_list(server)
    assert await kopfs_list(server) == (OBJECTS, "101")
