"""Rates over days, on a cluster in memory: what a business leans on."""

import asyncio
import datetime as dt
from itertools import pairwise
from typing import Any

import pytest
from tests.unit.world import EcbUpstream, Upstream, World, clock, failing

from exchangerates.api import APPROVE_ANNOTATION
from exchangerates.errors import ApiUnreachable
from exchangerates.observed import ExchangeRate
from localcluster.rateserver import days

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


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(dt.datetime(2024, 3, 26, 17, tzinfo=dt.UTC), id="Easter 2024"),
        pytest.param(dt.datetime(2025, 12, 22, 17, tzinfo=dt.UTC), id="Christmas and New Year 2025"),
    ],
)
def test_no_holiday_makes_a_rate_stale(monkeypatch: pytest.MonkeyPatch, start: dt.datetime) -> None:
    """Two weeks of what the ECB really published, hour by hour, with the default maxAge."""
    world = World(monkeypatch, start, EcbUpstream("ecb", clock(start)))

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
    world = World(monkeypatch, FRIDAY_NIGHT, upstream)

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
    world = World(monkeypatch, FRIDAY_NIGHT, upstream)

    async def story() -> None:
        world.cluster.add("rate", onStale="Withdraw")
        await asyncio.sleep(DAY_S)
        if change == "the provider fails":
            failing(upstream)
        elif change == "the currency ended":
            upstream.rates = {"GBP": "0.8"}
        else:
            world.cluster.change("rate", currency="XXX")
        await asyncio.sleep(5 * DAY_S)
        assert world.cluster.data("rate")["rate"] == "1.1172"
        await asyncio.sleep(DAY_S)
        assert "rate" not in world.cluster.data("rate")
        assert "quote" not in world.cluster.data("rate")
        assert world.cluster.writes["patch"] == 1

    world.run(story())


def test_a_suspended_objects_rate_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever suspends it has taken it over; Ready says so."""
    world = World(monkeypatch, FRIDAY_NIGHT, Upstream("ecb", FRIDAY, USD="1.1172"))

    async def story() -> None:
        world.cluster.add("rate", onStale="Withdraw")
        await asyncio.sleep(60.0)
        world.cluster.change("rate", suspend=True)
        await asyncio.sleep(10 * DAY_S)
        assert (world.cluster.ready("rate"), world.cluster.data("rate")["rate"]) == ("Suspended", "1.1172")

    world.run(story())


def test_a_quiet_rate_neither_changes_nor_gets_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three weeks of small moves: no write to the ConfigMap, few to the status, also with an operator started anew."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1172")
    world = World(monkeypatch, FRIDAY_NIGHT, upstream)

    async def story() -> None:
        world.cluster.add("quiet", minChangePercent="0.5", onStale="Withdraw")
        await asyncio.sleep(60.0)
        data = dict(world.cluster.data("quiet"))
        world.cluster.writes.clear()
        for day in range(1, 22):
            upstream.date, upstream.rates = FRIDAY + dt.timedelta(days=day), {"USD": f"1.11{72 + day % 3}"}
            await asyncio.sleep(DAY_S)
            assert (world.cluster.ready("quiet"), world.cluster.data("quiet")) == ("Published", data)
        assert (world.cluster.writes["patch"], world.cluster.writes.total()) == (0, world.cluster.writes["status"])
        assert 4 <= world.cluster.writes["status"] <= 7

        world.cluster.writes.clear()
        failing(upstream)
        await world.restart()
        await asyncio.sleep(DAY_S)
        assert (world.cluster.ready("quiet"), world.cluster.writes.total()) == ("Published", 0)

    world.run(story())


def spike(upstream: Upstream, *, date: dt.date = MONDAY, rate: str = "11.172") -> None:
    """Let a provider quote ten times the rate, or another one."""
    upstream.date, upstream.rates = date, {"USD": rate}


def test_a_spike_is_held_through_restarts_until_a_later_day_confirms_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One status write and one event however long it takes; Ready stays True, its reason tells."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1172")
    world = World(monkeypatch, FRIDAY_NIGHT, upstream)

    async def story() -> None:
        world.cluster.add("rate", maxChangePercent="5")
        await asyncio.sleep(2 * DAY_S)
        world.cluster.writes.clear()
        spike(upstream)
        await asyncio.sleep(DAY_S)
        await world.restart()
        await asyncio.sleep(DAY_S)
        assert world.cluster.data("rate")["rate"] == "1.1172"
        assert (world.cluster.writes["status"], world.cluster.writes["event Warning SpikeHeld rate"]) == (1, 1)
        ready = world.cluster.status("rate")["conditions"][0]
        assert (ready["status"], ready["reason"]) == ("True", "SpikeHeld")
        assert "11.172 USD for 2026-11-02 instead of 1.1172 (900.00 %)" in ready["message"]
        spike(upstream, date=MONDAY + dt.timedelta(days=1), rate="11.2")
        await asyncio.sleep(2 * HOUR_S)
        assert (world.cluster.ready("rate"), world.cluster.data("rate")["rate"]) == ("Published", "11.2")
        assert "held" not in world.cluster.status("rate")

    world.run(story())


def test_another_provider_is_asked_about_a_spike(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and only then, and not for an object that names its provider; its no leaves the rate held."""
    first, second = Upstream("frankfurter", FRIDAY, USD="1.1172"), Upstream("ecb", FRIDAY, USD="1.1172")
    world = World(monkeypatch, FRIDAY_NIGHT, first, second)

    async def story() -> None:
        world.cluster.add("chain", maxChangePercent="5")
        world.cluster.add("pinned", maxChangePercent="5", provider="frankfurter")
        await asyncio.sleep(2 * DAY_S)
        assert second.calls == 0
        spike(first)
        await asyncio.sleep(2 * HOUR_S)
        assert (world.cluster.ready("chain"), world.cluster.ready("pinned")) == ("SpikeHeld", "SpikeHeld")
        assert 1 <= second.calls <= 3
        second.date, second.rates = MONDAY, {"USD": "1.12"}
        world.cluster.writes.clear()
        await asyncio.sleep(5 * HOUR_S)
        assert (world.cluster.ready("chain"), world.cluster.data("chain")["rate"]) == ("SpikeHeld", "1.12")
        assert (world.cluster.writes["status"], world.cluster.writes.total()) == (1, 2), "they do not take turns"
        spike(second, rate="11.3")
        await asyncio.sleep(2 * HOUR_S)
        assert (world.cluster.ready("chain"), world.cluster.data("chain")["rate"]) == ("Published", "11.172")
        assert world.cluster.ready("pinned") == "SpikeHeld"

    world.run(story())


def test_a_user_approves_just_the_held_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, without a call; any other value approves nothing."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1172")
    world = World(monkeypatch, FRIDAY_NIGHT, upstream)

    async def story() -> None:
        world.cluster.add("rate", maxChangePercent="5")
        await asyncio.sleep(2 * DAY_S)
        spike(upstream)
        await asyncio.sleep(2 * HOUR_S)
        calls = upstream.calls
        world.cluster.annotate("rate", APPROVE_ANNOTATION, "11.17")
        await asyncio.sleep(10.0)
        assert (world.cluster.ready("rate"), world.cluster.data("rate")["rate"]) == ("SpikeHeld", "1.1172")
        world.cluster.annotate("rate", APPROVE_ANNOTATION, "11.172")
        await asyncio.sleep(10.0)
        assert (world.cluster.ready("rate"), world.cluster.data("rate")["rate"]) == ("Published", "11.172")
        assert upstream.calls == calls

    world.run(story())


def test_a_set_is_published_in_one_write_and_never_by_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of one table; a currency that is missing for a while keeps the last whole set."""
    first, second = Upstream("frankfurter", FRIDAY, USD="1.1"), Upstream("ecb", FRIDAY, USD="1.1172", GBP="0.8")
    world = World(monkeypatch, FRIDAY_NIGHT, first, second)

    async def story() -> None:
        world.cluster.add("set", currency=None, currencies=["GBP", "USD"], base=None)
        await asyncio.sleep(60.0)
        data = dict(world.cluster.data("set"))
        assert (data["GBP"], data["USD"], data["provider"]) == ("0.8", "1.1172", "ecb")
        assert (world.cluster.writes["create"], world.cluster.writes["patch"]) == (1, 0)
        second.date, second.rates = MONDAY, {"USD": "1.2"}
        await asyncio.sleep(2 * HOUR_S)
        assert world.cluster.ready("set") == "CurrencyNotSupported"
        assert world.cluster.data("set") == data
        second.rates = {"USD": "1.2", "GBP": "0.9"}
        await asyncio.sleep(2 * HOUR_S)
        assert (world.cluster.data("set")["GBP"], world.cluster.data("set")["USD"]) == ("0.9", "1.2")
        assert (world.cluster.writes["create"], world.cluster.writes["patch"]) == (1, 1)
        assert [entry["currency"] for entry in world.cluster.status("set")["rates"]] == ["GBP", "USD"]

    world.run(story())
