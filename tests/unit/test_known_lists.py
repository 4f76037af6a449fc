"""A list that Kopf makes right after the operator's own: Kopf gets one page of it, and watches from the own one on."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import kopf
import pytest
from aiohttp import web
from tests.unit.kubeconfigs import log_in, without_tls

from exchangerates import connection, handlers
from exchangerates.agenda import Agenda
from exchangerates.api import API_VERSION, KIND
from exchangerates.cluster import Cluster
from exchangerates.errors import ApiError
from exchangerates.informer import Informer
from exchangerates.objects import ExchangeRate
from exchangerates.observed import Observed

RATES = f"/apis/{API_VERSION}/exchangerates"
MAPS = "/api/v1/configmaps"
OBJECTS = 6


@dataclass
class Server:
    """An API server behind a path of its own, each of whose lists is of a later version; and the operator there."""

    informer: Informer = field(init=False)
    registry: kopf.OperatorRegistry = field(init=False)
    client: aiohttp.ClientSession = field(init=False)
    url: str = ""
    finalizers: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    version: int = 99
    refuses: str = ""
    gone: set[str] = field(default_factory=set)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a list, in pages: there are ExchangeRates alone."""
        if self.refuses and request.path.endswith(self.refuses):
            return web.json_response({"kind": "Status"}, status=500)
        limit, start = int(request.query["limit"]), int(request.query.get("continue", "0"))
        self.asked.set()
        if not start:
            self.version += 1
        there = [number for number in range(OBJECTS) if f"rate-{number}" not in self.gone]
        items = [self._item(number) for number in there] if request.path.endswith(RATES) else []
        more = {"continue": str(start + limit)} if start + limit < len(items) else {}
        metadata = {"resourceVersion": str(self.version), **more}
        page = {"kind": f"{KIND}List", "metadata": metadata, "items": items[start : start + limit]}
        return web.json_response(page)

    def _item(self, number: int) -> dict[str, Any]:
        name = f"rate-{number}"
        version = self.changed.get(name, "7")
        metadata = {"namespace": "default", "name": name, "uid": f"uid-{number}", "resourceVersion": version}
        return {"metadata": {**metadata, **self.finalizers}, "spec": {"currency": "USD"}}


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """Run the server on loopback, and have the operator log in there."""
    server, app, cluster = Server(), web.Application(), Cluster()
    app.router.add_get("/clusters/1/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/clusters/1"
        monkeypatch.setenv("KUBECONFIG", without_tls(tmp_path / "config", server.url))
        agenda = Agenda(Observed(), asyncio.get_running_loop().time, lambda: None)
        server.informer, server.registry = Informer(cluster, agenda, (None,), 600.0), kopf.OperatorRegistry()
        work = asyncio.create_task(asyncio.sleep(0))
        handlers.register_session(server.registry, server.informer, cluster, work, lambda _: None)
        async with (await log_in(server.registry)).aiohttp_session as server.client:
            yield server
    finally:
        await runner.cleanup()


async def own_lists(server: Server) -> None:
    """List as the operator does: ConfigMaps, then ExchangeRates."""
    await server.informer._resync()  # noqa: SLF001 - without its pauses
    server.informer.listed.set()


async def kopfs_list(server: Server) -> tuple[int, str]:
    """List as Kopf does; give how many pages that takes, and the version from which it watches."""
    pages, token = 0, ""
    while True:
        params = {"limit": "2", **({"continue": token} if token else {})}
        async with server.client.get(server.url + RATES, params=params) as response:
            metadata = json.loads(await response.read())["metadata"]
        pages += 1
        token = metadata.get("continue", "")
        if not token:
            return pages, metadata["resourceVersion"]


async def kopfs_items(server: Server) -> list[str]:
    """Give the names on the first page that Kopf gets."""
    async with server.client.get(server.url + RATES, params={"limit": "2"}) as response:
        return [item["metadata"]["name"] for item in json.loads(await response.read())["items"]]


async def test_kopf_watches_from_where_the_own_list_was_made(server: Server) -> None:
    """Once: where its watch cannot begin there it lists everything, or it would come back for ever."""
    await own_lists(server)
    assert await kopfs_list(server) == (1, "101")
    assert await kopfs_list(server) == (3, "103")


async def test_kopfs_first_list_waits_for_the_operators_own(server: Server) -> None:
    """Both begin with the log-in: alone it would show everything, and the watch would begin later than the own list."""
    kopfs = asyncio.create_task(kopfs_list(server))
    await server.asked.wait()
    await own_lists(server)
    assert await kopfs == (1, "102")
    assert server.informer._hearing.joined() == 1  # noqa: SLF001 - Kopf lists the other kind elsewhere


async def test_what_is_gone_when_kopfs_list_is_joined_is_not_shown_by_it(server: Server) -> None:
    """Kopf's page was read before: the watch, which begins later, would never tell that it is gone."""
    kopfs = asyncio.create_task(kopfs_items(server))
    await server.asked.wait()
    server.gone = {"rate-0"}
    await own_lists(server)
    assert await kopfs == []


async def test_what_has_finalizers_is_kopfs_to_see(server: Server) -> None:
    """One of its own may be among them, of another operator that was here before."""
    await own_lists(server)
    server.finalizers = {"finalizers": ["kopf.zalando.org/KopfFinalizerMarker"]}
    await own_lists(server)
    assert await kopfs_list(server) == (3, "104")


@pytest.mark.parametrize("refused", [RATES, MAPS])
async def test_lists_that_were_not_taken_up_are_not_known(server: Server, refused: str) -> None:
    """One kind was listed whole, the other not: neither counts."""
    await own_lists(server)
    server.refuses = refused
    with pytest.raises(ApiError):
        await own_lists(server)
    server.refuses = ""
    assert (await kopfs_list(server))[0] == 3


async def test_what_has_not_changed_is_not_read_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every list of ten thousand objects would cost seconds, and as much memory as they take."""
    await own_lists(server)
    read, real = list[str](), ExchangeRate.from_body

    def from_body(body: Mapping[str, Any]) -> ExchangeRate:
        read.append(body["metadata"]["name"])
        return real(body)

    monkeypatch.setattr(ExchangeRate, "from_body", from_body)
    server.changed = {"rate-3": "8"}
    await own_lists(server)
    assert read == ["rate-3"]
    known = server.informer.agenda.observed.exchange_rates
    assert [seen.resource_version for seen in known.values()] == [7, 7, 7, 8, 7, 7]


async def test_another_api_servers_lists_say_nothing(server: Server) -> None:
    """After a log-in at another one its versions mean something else."""
    await own_lists(server)
    async with (await log_in(server.registry)).aiohttp_session:
        assert await kopfs_list(server) == (3, "102")


async def test_a_watch_does_not_begin_in_the_far_past(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server does not keep the events of long ago; a list is of the time at which it began."""
    monkeypatch.setattr(connection, "WATCHES_GO_BACK_S", 0.0)
    await own_lists(server)
    assert await kopfs_list(server) == (3, "102")
