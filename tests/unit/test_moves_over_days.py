"""Small moves, spikes and sets over days, on a cluster in memory."""

import asyncio
import datetime as dt

import pytest
from tests.unit.upstreams import Upstream, failing
from tests.unit.world import World

from exchangerates.api import APPROVE_ANNOTATION

FRIDAY = dt.date(2026, 10, 30)
MONDAY = dt.date(2026, 11, 2)
FRIDAY_NIGHT = dt.datetime(2026, 10, 30, 20, tzinfo=dt.UTC)
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def test_a_quiet_rate_neither_changes_nor_gets_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three weeks of small moves: no write to the ConfigMap, few to the status, also with an operator started anew."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1172")
    world = World(monkeypatch, FRIDAY_NIGHT, upstream, rest_s=HOUR_S)

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
    world = World(monkeypatch, FRIDAY_NIGHT, upstream, rest_s=HOUR_S)

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
    world = World(monkeypatch, FRIDAY_NIGHT, first, second, rest_s=HOUR_S)

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
    world = World(monkeypatch, FRIDAY_NIGHT, upstream, rest_s=HOUR_S)

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


def test_an_approval_of_nothing_is_told_and_not_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is not the held one, or one where nothing is held: the object says so, with one write."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1172")
    world = World(monkeypatch, FRIDAY_NIGHT, upstream, rest_s=HOUR_S)
    idle = f"The annotation {APPROVE_ANNOTATION}="

    async def story() -> None:
        world.cluster.add("rate", maxChangePercent="5")
        await asyncio.sleep(2 * DAY_S)
        spike(upstream)
        await asyncio.sleep(2 * HOUR_S)
        assert idle not in world.cluster.message("rate")
        world.cluster.writes.clear()
        world.cluster.annotate("rate", APPROVE_ANNOTATION, "11.17")
        await asyncio.sleep(2 * HOUR_S)
        assert world.cluster.message("rate").endswith(f". {idle}11.17 approves nothing: 11.172 is held back")
        await world.restart()
        await asyncio.sleep(2 * HOUR_S)
        assert (world.cluster.writes["status"], world.cluster.writes.total()) == (1, 1)

        world.cluster.annotate("rate", APPROVE_ANNOTATION, "11.172")
        await asyncio.sleep(2 * HOUR_S)
        assert world.cluster.ready("rate") == "Published"
        assert idle not in world.cluster.message("rate")
        world.cluster.writes.clear()
        world.cluster.annotate("rate", APPROVE_ANNOTATION, "9" * 1000)
        await asyncio.sleep(2 * HOUR_S)
        assert world.cluster.message("rate").endswith(f". {idle}{'9' * 64} approves nothing: no rate is held back")
        assert (world.cluster.writes["status"], world.cluster.writes.total()) == (1, 1)

    world.run(story())


def test_a_set_is_published_in_one_write_and_never_by_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of one table; a currency that is missing for a while keeps the last whole set."""
    first, second = Upstream("frankfurter", FRIDAY, USD="1.1"), Upstream("ecb", FRIDAY, USD="1.1172", GBP="0.8")
    world = World(monkeypatch, FRIDAY_NIGHT, first, second, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("set", currency=None, currencies=["GBP", "USD"], base=None)
        await asyncio.sleep(60.0)
        data = dict(world.cluster.data("set"))
        assert (data["GBP"], data["USD"], data["provider"]) == ("0.8", "1.1172", "ecb")
        assert (world.cluster.writes["create"], world.cluster.writes["patch"]) == (1, 0)
        second.date, second.rates = FRIDAY + dt.timedelta(days=1), {"USD": "1.2"}
        await asyncio.sleep(2 * HOUR_S)
        assert world.cluster.ready("set") == "CurrencyNotSupported"
        assert world.cluster.data("set") == data
        second.rates = {"USD": "1.2", "GBP": "0.9"}
        await asyncio.sleep(2 * HOUR_S)
        assert (world.cluster.data("set")["GBP"], world.cluster.data("set")["USD"]) == ("0.9", "1.2")
        assert (world.cluster.writes["create"], world.cluster.writes["patch"]) == (1, 1)
        assert [entry["currency"] for entry in world.cluster.status("set")["rates"]] == ["GBP", "USD"]

    world.run(story())
