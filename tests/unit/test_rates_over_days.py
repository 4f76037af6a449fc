"""Rates over days, on a cluster in memory: what a business leans on."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from tests.unit.world import Upstream, World

from exchangerates.errors import ApiUnreachable
from exchangerates.observed import ExchangeRate

FRIDAY = dt.date(2026, 10, 30)
MONDAY = dt.date(2026, 11, 2)
FRIDAY_NIGHT = dt.datetime(2026, 10, 30, 20, tzinfo=dt.UTC)
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def test_provenance_stays_while_the_quote_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written for two days; then the new quote has its own time, the same in both places."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1172")
    world = World(monkeypatch, FRIDAY_NIGHT, upstream)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(60.0)
        data = dict(world.cluster.data("rate"))
        assert (data["provider"], data["date"], data["derived"]) == ("ecb", "2026-10-30", "false")
        assert data["publishedAt"] == world.cluster.status("rate")["rates"][0]["publishedAt"] == "2026-10-30T20:00:00Z"
        world.cluster.writes.clear()
        await asyncio.sleep(2 * DAY_S)
        assert world.cluster.writes.total() == 0
        assert world.cluster.data("rate") == data
        upstream.date, upstream.rates = MONDAY, {"USD": "1.1200"}
        await asyncio.sleep(2 * HOUR_S)
        since = world.cluster.data("rate")["publishedAt"]
        assert since > "2026-11-01T20"
        assert world.cluster.status("rate")["rates"][0]["publishedAt"] == since

    world.run(story())


def test_a_lost_write_of_the_status_changes_no_time_of_publication(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ConfigMap was written first and tells since when; what is written again is the status alone."""
    world = World(monkeypatch, FRIDAY_NIGHT, Upstream("ecb", FRIDAY, USD="1.1172"))
    real = world.cluster.patch_status

    async def fail(*_: object) -> ExchangeRate:
        raise ApiUnreachable("no answer")

    async def story() -> None:
        monkeypatch.setattr(world.cluster, "patch_status", fail)
        world.cluster.add("rate")
        await asyncio.sleep(10.0)
        data: dict[str, Any] = dict(world.cluster.data("rate"))
        assert world.cluster.status("rate") == {}
        monkeypatch.setattr(world.cluster, "patch_status", real)
        await asyncio.sleep(HOUR_S)
        assert world.cluster.data("rate") == data
        assert world.cluster.status("rate")["rates"][0]["publishedAt"] == data["publishedAt"]
        assert (world.cluster.writes["create"], world.cluster.writes["patch"]) == (1, 0)

    world.run(story())
