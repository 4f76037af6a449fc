"""Rates over days, on a cluster in memory: what a business leans on."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from tests.unit.upstreams import Upstream, failing
from tests.unit.world import World

from exchangerates.errors import ApiUnreachable
from exchangerates.objects import ExchangeRate

FRIDAY = dt.date(2026, 10, 30)
MONDAY = dt.date(2026, 11, 2)
FRIDAY_NIGHT = dt.datetime(2026, 10, 30, 20, tzinfo=dt.UTC)
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def test_provenance_stays_while_the_quote_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written for two days; then the new quote has its own time, the same in both places."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1172")
    world = World(monkeypatch, FRIDAY_NIGHT, upstream, rest_s=HOUR_S)

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
    world = World(monkeypatch, FRIDAY_NIGHT, Upstream("ecb", FRIDAY, USD="1.1172"), rest_s=HOUR_S)
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


STILL = "What was published before is still there: ConfigMap rate holds "


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"currency": "XXX"}, "EUR to USD, quoted by ecb for 2026-10-30", id="another currency"),
        pytest.param({"base": "XXX"}, "EUR to USD, quoted by ecb for 2026-10-30", id="another base"),
        pytest.param({"provider": "frankfurter"}, "EUR to USD, quoted by ecb for 2026-10-30", id="another provider"),
        pytest.param({"currency": "XXX", "suspend": True}, "EUR to USD, quoted by ecb for 2026-10-30", id="suspended"),
    ],
)
def test_a_rate_of_a_former_spec_is_told_while_it_is_there(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, object], told: str
) -> None:
    """Ready says which rate the ConfigMap still holds, once, over restarts, until there is one for the new spec."""
    world = World(monkeypatch, FRIDAY_NIGHT, Upstream("ecb", FRIDAY, USD="1.1172", GBP="0.8"), rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(DAY_S)
        world.cluster.writes.clear()
        world.cluster.edit("rate", **change)
        await asyncio.sleep(DAY_S)
        await world.restart()
        await asyncio.sleep(DAY_S)
        assert world.cluster.message("rate").endswith(f". {STILL}{told}")
        assert (world.cluster.writes["status"], world.cluster.writes["patch"]) == (1, 0)
        world.cluster.edit("rate", currency="GBP", base="EUR", provider=None, suspend=False)
        await asyncio.sleep(DAY_S)
        assert world.cluster.data("rate")["rate"] == "0.8"
        assert STILL not in world.cluster.message("rate")

    world.run(story())


def test_a_set_of_a_former_spec_is_told_until_it_is_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not there any more is not told, also while a provider's mood changes the text."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1172", GBP="0.8")
    upstream.least_interval_s = 600.0  # eight days of looks take their time
    world = World(monkeypatch, FRIDAY_NIGHT, upstream, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", currency=None, currencies=["USD", "GBP"], onStale="Withdraw")
        await asyncio.sleep(60.0)
        failing(upstream)
        world.cluster.edit("rate", currencies=["USD", "JPY"])
        await asyncio.sleep(DAY_S)
        assert world.cluster.ready("rate") == "ProviderUnavailable"
        assert world.cluster.message("rate").endswith(f". {STILL}EUR to USD, GBP, quoted by ecb for 2026-10-30")
        await asyncio.sleep(7 * DAY_S)
        assert "USD" not in world.cluster.data("rate")
        assert STILL not in world.cluster.message("rate")

    world.run(story())


def test_what_somebody_wrote_into_a_config_map_is_told_in_a_few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A status has its limits."""
    world = World(monkeypatch, FRIDAY_NIGHT, Upstream("frankfurter", FRIDAY, USD="1.1172"), rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        world.cluster.edit("rate", currency="XXX")
        await asyncio.sleep(5.0)
        world.cluster.tamper("rate", base="x" * 900_000)
        await asyncio.sleep(5.0)
        assert "ConfigMap rate holds xxx" in world.cluster.message("rate")
        assert len(world.cluster.message("rate")) < 1000

    world.run(story())
