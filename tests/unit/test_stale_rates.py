"""Rates that get old, on a cluster in memory: told on time, and withdrawn where that is asked for."""

import asyncio
import datetime as dt
from itertools import pairwise
from typing import Any

import pytest
from tests.unit.fast_loop import clock
from tests.unit.upstreams import EcbUpstream, Upstream, failing
from tests.unit.world import World

from exchangerates.api import REFRESH_ANNOTATION
from localcluster.rateserver import days

FRIDAY = dt.date(2026, 10, 30)
MONDAY = dt.date(2026, 11, 2)
FRIDAY_NIGHT = dt.datetime(2026, 10, 30, 20, tzinfo=dt.UTC)
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(dt.datetime(2024, 3, 26, 17, tzinfo=dt.UTC), id="Easter 2024"),
        pytest.param(dt.datetime(2025, 12, 22, 17, tzinfo=dt.UTC), id="Christmas and New Year 2025"),
    ],
)
def test_no_holiday_makes_a_rate_stale(monkeypatch: pytest.MonkeyPatch, start: dt.datetime) -> None:
    """Two weeks of what the ECB really published, hour by hour, with the default maxAge."""
    world = World(monkeypatch, start, EcbUpstream("ecb", clock(start)), rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", onStale="Withdraw")
        await asyncio.sleep(60.0)
        for _ in range(14 * 24):
            assert (world.cluster.ready("rate"), "rate" in world.cluster.data("rate")) == ("Published", True)
            await asyncio.sleep(HOUR_S)
        assert world.cluster.writes["status"] >= 8

    world.run(story())


def test_no_gap_in_the_ecbs_calendar_reaches_the_default_max_age() -> None:
    """All of them since 1999, from the start of a quote's day to the evening of the next quote's."""
    published = days()
    assert len(published) > 7000
    longest = max(later - earlier for later, earlier in pairwise(published))
    assert longest + dt.timedelta(hours=20) < dt.timedelta(hours=168)


def test_a_stale_rate_is_withdrawn_and_comes_back_with_the_next_quote(monkeypatch: pytest.MonkeyPatch) -> None:
    """On time, once; what stays says what it was. Who did not ask for it keeps the old rate."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1172")
    world = World(monkeypatch, FRIDAY_NIGHT, upstream, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("withdraw", onStale="Withdraw")
        world.cluster.add("keep")
        await asyncio.sleep(7 * DAY_S - 20 * HOUR_S - 60.0)
        assert world.cluster.data("withdraw")["rate"] == "1.1172"
        world.cluster.writes.clear()
        await asyncio.sleep(180.0)
        left = {"base": "EUR", "currency": "USD", "date": "2026-10-30", "provider": "ecb", "derived": "false"}
        assert world.cluster.data("withdraw") == {**left, "publishedAt": "2026-10-30T20:00:00Z"}
        assert world.cluster.data("keep")["rate"] == "1.1172"
        await asyncio.sleep(DAY_S)
        assert (world.cluster.ready("withdraw"), world.cluster.ready("keep")) == ("RateTooOld", "RateTooOld")
        assert (world.cluster.writes["patch"], world.cluster.writes["status"]) == (1, 2)
        upstream.date, upstream.rates = MONDAY + dt.timedelta(days=5), {"USD": "1.12"}
        await asyncio.sleep(2 * HOUR_S)
        assert (world.cluster.ready("withdraw"), world.cluster.data("withdraw")["rate"]) == ("Published", "1.12")

    world.run(story())


@pytest.mark.parametrize("change", ["the provider fails", "the currency ended", "another currency is asked for"])
def test_a_rate_is_withdrawn_whatever_keeps_it_from_being_renewed(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """An outage, a pair that is quoted no more, and a rate of a former spec that is left behind."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1172", GBP="0.8")
    upstream.least_interval_s = 600.0  # days of looks take their time
    world = World(monkeypatch, FRIDAY_NIGHT, upstream, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", onStale="Withdraw")
        await asyncio.sleep(DAY_S)
        if change == "the provider fails":
            failing(upstream)
        elif change == "the currency ended":
            upstream.rates = {"GBP": "0.8"}
        else:
            world.cluster.edit("rate", currency="XXX")
        await asyncio.sleep(5 * DAY_S)
        assert world.cluster.data("rate")["rate"] == "1.1172"
        await asyncio.sleep(DAY_S)
        assert "rate" not in world.cluster.data("rate")
        assert "quote" not in world.cluster.data("rate")
        assert world.cluster.writes["patch"] == 1

    world.run(story())


def test_a_suspended_objects_rate_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever suspends it has taken it over; Ready says so."""
    world = World(monkeypatch, FRIDAY_NIGHT, Upstream("ecb", FRIDAY, USD="1.1172"), rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", onStale="Withdraw")
        await asyncio.sleep(60.0)
        world.cluster.edit("rate", suspend=True)
        await asyncio.sleep(10 * DAY_S)
        assert (world.cluster.ready("rate"), world.cluster.data("rate")["rate"]) == ("Suspended", "1.1172")

    world.run(story())


def test_staleness_is_told_on_time_whatever_keeps_passes_from_succeeding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the object looks for a newer quote but once a month, and with every rate provider."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1172")
    world = World(monkeypatch, FRIDAY_NIGHT, upstream, rest_s=HOUR_S)

    async def story() -> None:
        for name in ("suspended", "ended", "outage"):
            world.cluster.add(name, refreshInterval="720h")
        await asyncio.sleep(HOUR_S)
        world.cluster.edit("suspended", suspend=True)
        upstream.rates = {"GBP": "0.8"}
        world.cluster.annotate("ended", REFRESH_ANNOTATION, "now")
        await asyncio.sleep(HOUR_S)
        failing(upstream)
        reasons = [world.cluster.ready(name) for name in ("suspended", "ended", "outage")]
        assert reasons == ["Suspended", "CurrencyNotSupported", "Published"]
        await asyncio.sleep(7 * DAY_S - 22 * HOUR_S - 60.0)
        assert [world.cluster.stale(name) for name in ("suspended", "ended", "outage")] == ["False"] * 3
        await asyncio.sleep(180.0)
        assert [world.cluster.stale(name) for name in ("suspended", "ended", "outage")] == ["True"] * 3

    world.run(story())


@pytest.mark.parametrize("on_stale", ["Keep", "Withdraw"])
def test_what_nobody_foresaw_is_tried_again_soon_whatever_is_to_become_of_a_stale_rate(
    monkeypatch: pytest.MonkeyPatch, on_stale: str
) -> None:
    """The time until it is stale is no pause."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1172")
    world = World(monkeypatch, FRIDAY_NIGHT, upstream, rest_s=HOUR_S)
    real, failures = world.cluster.patch_config_map, 5

    async def patch(*call: Any) -> Any:  # noqa: ANN401
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise ZeroDivisionError
        return await real(*call)

    monkeypatch.setattr(world.cluster, "patch_config_map", patch)

    async def story() -> None:
        world.cluster.add("rate", onStale=on_stale, refreshInterval="1m")
        await asyncio.sleep(10.0)
        upstream.rates = {"USD": "1.2"}
        await asyncio.sleep(75.0)
        assert world.cluster.ready("rate") == "InternalError"
        await asyncio.sleep(60.0)
        assert (world.cluster.ready("rate"), world.cluster.data("rate")["rate"]) == ("Published", "1.2")

    world.run(story())


def test_a_rate_under_a_former_name_is_withdrawn_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Currency and ConfigMap were changed while the provider is down: there is nothing yet under the new name."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.1172")
    upstream.least_interval_s = 600.0  # days of looks take their time
    world = World(monkeypatch, FRIDAY_NIGHT, upstream, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", onStale="Withdraw")
        await asyncio.sleep(5.0)
        failing(upstream)
        await asyncio.sleep(2 * 3600.0)
        world.cluster.edit("rate", currency="JPY", target={"name": "other"})
        await asyncio.sleep(6 * 86400.0)
        assert world.cluster.data("rate")["rate"] == "1.1172"
        await asyncio.sleep(3 * 86400.0)
        assert "rate" not in world.cluster.data("rate")

    world.run(story())
