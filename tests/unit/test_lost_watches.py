"""What is gone while a list runs, or told by no watch: it is missed, and nothing goes back."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from tests.unit.upstreams import Upstream
from tests.unit.world import World

from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey

FRIDAY = dt.date(2026, 10, 30)
NOW = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)
HOUR_S = 3600.0
NEXT = FRIDAY + dt.timedelta(days=1)


def test_a_config_map_that_goes_while_a_list_runs_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list still shows it; the watch has told that it is gone."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00"))

    async def slow(*_: object) -> AsyncIterator[ExchangeRate]:
        for body in tuple(world.cluster.rates.values()):
            world.cluster.lose("rate")
            await asyncio.sleep(1.0)
            yield ExchangeRate.from_body(body)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        for _ in range(4):  # so that it is not put back at once
            world.cluster.tamper("rate", rate="9")
            await asyncio.sleep(20.0)
        with monkeypatch.context() as patched:
            patched.setattr(world.cluster, "list_exchange_rates", slow)
            await world.controller.informer._resync()  # noqa: SLF001 - at this moment
        await asyncio.sleep(400.0)
        assert world.cluster.data("rate")["rate"] == "1.00"

    world.run(story())


def test_an_owner_that_goes_while_a_list_runs_gets_no_config_map_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list shows it as it was before it had a status."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00"))
    key, before = ObjectKey("default", "rate"), dict[str, Any]()

    async def slow(*_: object) -> AsyncIterator[ExchangeRate]:
        yield ExchangeRate.from_body(before)
        await asyncio.sleep(1.0)
        world.show("rate", "DELETED", world.cluster.rates.pop(key))
        world.cluster.lose("rate")
        await asyncio.sleep(0.5)

    async def story() -> None:
        await asyncio.sleep(5.0)
        world.cluster.add("rate")
        before.update(world.cluster.rates[key])
        with monkeypatch.context() as patched:
            patched.setattr(world.cluster, "list_exchange_rates", slow)
            await world.controller.informer._resync()  # noqa: SLF001 - at this moment
        await asyncio.sleep(5.0)
        assert world.cluster.writes["create"] == 1

    world.run(story())


def test_a_config_map_that_goes_before_its_own_creation_is_answered_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch has told of both; the answer comes last, and takes nothing back."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00"))
    create = world.cluster.create_config_map

    async def overtaken(body: Mapping[str, Any]) -> ConfigMap:
        made = await create(body)
        await asyncio.sleep(0.1)
        world.cluster.lose("rate")
        await asyncio.sleep(0.1)
        monkeypatch.setattr(world.cluster, "create_config_map", create)
        return made

    async def story() -> None:
        monkeypatch.setattr(world.cluster, "create_config_map", overtaken)
        world.cluster.add("rate")
        await asyncio.sleep(10.0)
        assert world.cluster.data("rate")["rate"] == "1.00"

    world.run(story())


@pytest.mark.parametrize("joined", [1, 2])
def test_watches_that_begin_at_the_first_list_miss_nothing_at_a_start(
    monkeypatch: pytest.MonkeyPatch, joined: int
) -> None:
    """Else another list soon follows, of everything: while ten thousand objects are new it takes seconds."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00"))

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        for path in ("/api/v1/configmaps", "/apis/operators.brennerm.github.io/v1/exchangerates")[:joined]:
            world.controller.informer.watch_joined(path)
        world.cluster.watches = lambda *_: None
        world.cluster.maps.clear()
        await asyncio.sleep(60.0)
        assert (not world.cluster.maps) == (joined == 2), "found by the list after the next interval"

    world.run(story())


@pytest.mark.parametrize("reopened", [False, True], ids=["soon after the start", "when a watch is opened anew"])
def test_the_end_of_a_config_map_that_no_watch_tells_is_found_soon(
    monkeypatch: pytest.MonkeyPatch, *, reopened: bool
) -> None:
    """Kopf lists anew then, and a list tells it nothing of what is gone; the next one of ours is ten minutes away."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00"))

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(100.0 if reopened else 5.0)
        for _ in range(2 if reopened else 1):
            world.controller.informer.watch_opened("/api/v1/configmaps")
        world.cluster.maps.clear()
        await asyncio.sleep(30.0)
        assert world.cluster.data("rate")["rate"] == "1.00"

    world.run(story())
