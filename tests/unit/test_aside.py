"""What watches show of an object while it is served: echoes of its own writes cost nothing, and no news is lost."""

import asyncio
import datetime as dt
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.unit.upstreams import Upstream
from tests.unit.world import World

from exchangerates.api import KIND
from exchangerates.aside import Aside
from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey

FRIDAY = dt.date(2026, 10, 30)
NOW = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)
KEY = ObjectKey("default", "rate")
Make = Callable[[float], World]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Give a maker of worlds: the watches show what is written so many seconds before the write is answered."""

    def make(late_s: float) -> World:
        world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00", JPY="150"))
        create, patch_status = world.cluster.create_config_map, world.cluster.patch_status

        async def created_late(body: Mapping[str, Any]) -> ConfigMap:
            made = await create(body)
            await asyncio.sleep(0.1)
            return made

        async def patched_late(owner: ExchangeRate, patch: Mapping[str, Any]) -> ExchangeRate:
            written = await patch_status(owner, patch)
            await asyncio.sleep(late_s)
            return written

        monkeypatch.setattr(world.cluster, "create_config_map", created_late)
        monkeypatch.setattr(world.cluster, "patch_status", patched_late)
        return world

    return make


def test_the_echo_that_comes_before_the_answer_is_no_news(make: Make) -> None:
    """Kopf does not see it, and no pass is made for it."""
    world = make(1.0)
    informer, seen = world.controller.informer, list[tuple[str, bool]]()

    def show(kind: str, event: str, body: dict[str, Any]) -> None:
        seen.append((kind, informer.is_news(KIND if kind == "rate" else "ConfigMap", event, body)))

    async def story() -> None:
        await asyncio.sleep(1.0)
        world.cluster.add("rate")
        await asyncio.sleep(0.0)
        world.cluster.watches = show
        await asyncio.sleep(10.0)
        assert seen == [("map", False), ("rate", False)]
        assert "exchangerates_reconcile_duration_seconds_count 1.0" in world.scraped()

    world.run(story())


def test_what_is_changed_while_its_object_is_served_is_served_next(make: Make) -> None:
    """A spec by its user, a ConfigMap by somebody else, and another object meanwhile."""
    world = make(1.0)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(0.5)
        world.cluster.edit("rate", currency="JPY")
        world.cluster.add("other")
        await asyncio.sleep(0.25)
        assert world.cluster.data("other")["rate"] == "1.00", "it waits for nobody"
        assert world.cluster.data("rate")["rate"] == "1.00"
        await asyncio.sleep(1.0)
        assert world.cluster.data("rate")["rate"] == "150"
        world.cluster.tamper("rate", rate="9")
        await asyncio.sleep(2.0)
        assert world.cluster.data("rate")["rate"] == "150"

    world.run(story())


@pytest.mark.parametrize("kind", ["ConfigMap", KIND])
def test_what_a_list_shows_no_more_does_not_come_back(make: Make, kind: str) -> None:
    """Its creation was shown while its object was served, and that it is gone by no watch."""
    world = make(20.0)

    async def story() -> None:
        await asyncio.sleep(1.0)
        world.cluster.add("rate")
        await asyncio.sleep(2.0)
        world.cluster.maps.clear()  # the next list by itself comes half a minute later
        if kind == KIND:
            world.cluster.rates.clear()
        await world.controller.informer._resync()  # noqa: SLF001 - at this moment
        await asyncio.sleep(22.0)
        assert (KEY in world.controller.observed.exchange_rates) == (kind != KIND)
        assert (KEY in world.cluster.maps) == (kind != KIND), "put back after the pass"

    world.run(story())


def test_a_label_that_is_set_again_at_once_keeps_its_config_map_known(make: Make) -> None:
    """A watch shows it as gone and as new; what Kopf takes up later was shown first."""
    world = make(5.0)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(10.0)
        informer, held = world.controller.informer, world.cluster.maps[KEY]
        world.cluster.edit("rate", refreshInterval="2h")
        await asyncio.sleep(1.0)
        gone, back = ({**held, "metadata": {**held["metadata"], "resourceVersion": at}} for at in ("1000", "1001"))
        assert informer.is_news("ConfigMap", "DELETED", gone)
        assert not informer.is_news("ConfigMap", "ADDED", back)
        informer.watch_config_map("DELETED", gone)
        await asyncio.sleep(10.0)
        assert world.controller.observed.config_maps[KEY].resource_version == 1001

    world.run(story())


def test_a_label_that_was_set_again_before_its_loss_is_taken_up(make: Make) -> None:
    """Kopf tells later that the ConfigMap was gone for the watch: by then it is back, and stays known."""
    world = make(0.0)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(10.0)
        informer, held = world.controller.informer, world.cluster.maps[KEY]
        known = world.controller.observed.config_maps[KEY]
        before = {**held, "metadata": {**held["metadata"], "resourceVersion": str(known.resource_version - 1)}}
        informer.watch_config_map("DELETED", before)
        assert world.controller.observed.config_maps[KEY] == known

    world.run(story())


def test_what_a_watch_shows_of_who_is_served_tells_that_it_hears(make: Make) -> None:
    """At once, however long the pass goes on."""
    world = make(60.0)

    async def story() -> None:
        await asyncio.sleep(1.0)
        world.cluster.add("rate")
        await asyncio.sleep(1.0)
        for since in (0.0, 100.0):
            world.controller.informer._hearing.missed("ExchangeRates", since)  # noqa: SLF001 - as two lists would
        assert world.controller.problems() == ["the watch of ExchangeRates is deaf"]
        world.cluster.annotate("rate", "example.com/note", "new")
        await asyncio.sleep(1.0)
        assert world.controller.problems() == []

    world.run(story())


def test_what_a_list_shows_of_who_is_served_is_missed_by_no_watch(make: Make) -> None:
    """It may be a write that is not answered yet: in a busy hour each list would have the next follow soon."""
    world = make(20.0)

    async def story() -> None:
        informer = world.controller.informer
        await asyncio.sleep(1.0)
        world.cluster.add("rate")
        world.cluster.watches = lambda *_: None
        await asyncio.sleep(2.0)
        await informer._resync()  # noqa: SLF001 - at this moment
        assert not informer._hearing.in_doubt(0.0)  # noqa: SLF001
        await asyncio.sleep(20.0)
        assert "exchangerates_reconcile_duration_seconds_count 1.0" in world.scraped()

    world.run(story())


def test_the_newest_of_what_is_shown_is_laid_aside() -> None:
    """A list may show less than the watch has shown."""
    aside, held = Aside(lambda _: True), list[ConfigMap]()
    for version in ("7", "8", "6"):
        owner = {"kind": KIND, "name": "rate", "uid": "uid", "controller": True}
        metadata = {**KEY._asdict(), "uid": "map", "resourceVersion": version, "ownerReferences": [owner]}
        held.append(ConfigMap.from_body({"metadata": metadata}))
        assert aside.lays(held[-1])
    assert aside.take(KEY) == [held[1]]


def test_large_config_maps_of_who_is_served_are_not_kept_whole(make: Make) -> None:
    """Whoever names an object as the owner of as many as he likes takes no memory by it."""
    world = make(20.0)

    async def story() -> None:
        informer = world.controller.informer
        await asyncio.sleep(1.0)
        world.cluster.add("rate")
        await asyncio.sleep(2.0)
        references = world.cluster.maps[KEY]["metadata"]["ownerReferences"]
        tracemalloc.start()
        for number in range(40):
            name = {"namespace": "default", "name": f"big-{number}", "uid": f"big-{number}"}
            metadata = {**name, "resourceVersion": str(1000 + number), "ownerReferences": references}
            body = {"metadata": metadata, "data": {"a": str(number % 10) * 500_000}}
            assert not informer.is_news("ConfigMap", "ADDED", body)
        del body
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert kept < 2_000_000

    world.run(story())
