"""Events that come while their object is served: the echoes of its own writes cost nothing, and no news is lost."""

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.upstreams import Upstream
from tests.unit.world import World

from exchangerates.api import KIND
from exchangerates.objects import ExchangeRate

FRIDAY = dt.date(2026, 10, 30)
NOW = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Give a world where a status is shown by the watch a second before the write of it is answered."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00", JPY="150"))
    real = world.cluster.patch_status

    async def slow(owner: ExchangeRate, patch: Mapping[str, Any]) -> ExchangeRate:
        written = await real(owner, patch)
        await asyncio.sleep(1.0)
        return written

    monkeypatch.setattr(world.cluster, "patch_status", slow)
    return world


def test_the_echo_that_comes_before_the_answer_is_no_news(world: World) -> None:
    """Kopf does not see it, and no pass is made for it."""
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


def test_what_is_changed_while_its_object_is_served_is_served_next(world: World) -> None:
    """A spec by its user, a ConfigMap by somebody else, and another object meanwhile."""

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
