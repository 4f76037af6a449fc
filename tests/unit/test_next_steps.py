"""What Ready's message tells a user to do, on a cluster in memory."""

import asyncio
import datetime as dt

import pytest
from tests.unit.upstreams import Upstream
from tests.unit.world import World

FRIDAY = dt.date(2026, 10, 30)
FRIDAY_NIGHT = dt.datetime(2026, 10, 30, 20, tzinfo=dt.UTC)


def test_who_loses_a_name_to_another_object_is_not_told_to_delete_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one would make its ConfigMap again: one of the two needs another name."""
    world = World(monkeypatch, FRIDAY_NIGHT, Upstream("ecb", FRIDAY, USD="1.1172"))

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(60.0)
        world.cluster.add("contender", target={"name": "rate"})
        await asyncio.sleep(60.0)
        assert world.cluster.ready("contender") == "TargetConflict"
        message = world.cluster.message("contender")
        assert "belongs to ExchangeRate rate" in message
        assert "Write another spec.target.name" in message
        assert "elete" not in message

    world.run(story())


def test_a_rate_that_is_too_old_says_what_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing, or a longer maxAge; Stale says how old the rate is."""
    world = World(monkeypatch, FRIDAY_NIGHT, Upstream("ecb", FRIDAY, USD="1.1172"))

    async def story() -> None:
        world.cluster.add("rate", maxAge="1h")
        await asyncio.sleep(60.0)
        assert world.cluster.ready("rate") == "RateTooOld"
        assert world.cluster.message("rate").endswith(
            "ConfigMap rate keeps that rate. A newer one is looked for by itself, or write a longer maxAge"
        )
        (stale,) = [c for c in world.cluster.status("rate")["conditions"] if c["type"] == "Stale"]
        assert stale["message"] == "the rate was quoted for 2026-10-30, longer ago than maxAge"

    world.run(story())
