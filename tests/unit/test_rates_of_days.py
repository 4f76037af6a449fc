"""Rates of days that are over: asked for once, published once, and never again."""

import asyncio
import datetime as dt

import pytest
from tests.unit.upstreams import Archive, Upstream
from tests.unit.world import World

from exchangerates.errors import FetchError

NOW = dt.datetime(2026, 11, 25, 20, tzinfo=dt.UTC)
TODAY = NOW.date()
HOUR_S = 3600.0


def test_a_thousand_objects_of_one_day_cost_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last table on or before the day serves them all."""
    upstream = Archive("ecb", TODAY, USD="1.2")
    world = World(monkeypatch, NOW, upstream, rest_s=HOUR_S)

    async def story() -> None:
        for number in range(1000):
            world.cluster.add(f"rate-{number}", date="2024-06-30")
        await asyncio.sleep(60.0)
        assert upstream.days == [dt.date(2024, 6, 30)]
        data = world.cluster.data("rate-999")
        assert (data["rate"], data["date"]) == ("1.0705", "2024-06-28")
        assert upstream.calls == 0

    world.run(story())


def test_a_published_day_is_never_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """No write and no call in a month, not even after a restart or for a lost ConfigMap; it never gets stale."""
    upstream = Archive("ecb", TODAY, USD="1.2")
    world = World(monkeypatch, NOW, upstream, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", date="2024-06-30")
        await asyncio.sleep(60.0)
        assert world.cluster.status("rate")["requestedDate"] == "2024-06-30"
        world.cluster.writes.clear()
        await world.restart()
        await asyncio.sleep(32 * 24 * HOUR_S)
        assert (world.cluster.writes.total(), len(upstream.days), upstream.calls) == (0, 1, 0)
        assert world.cluster.ready("rate") == "Published"
        del world.cluster.maps[next(iter(world.cluster.maps))]
        await asyncio.sleep(HOUR_S)
        assert (world.cluster.writes["create"], len(upstream.days)) == (1, 1)

    world.run(story())


def test_another_day_is_another_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The former day's is not taken for it, and without a day it is the newest."""
    upstream = Archive("ecb", TODAY, USD="1.2")
    world = World(monkeypatch, NOW, upstream, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", date="2024-06-28")
        await asyncio.sleep(10.0)
        world.cluster.edit("rate", date="2024-06-27")
        await asyncio.sleep(10.0)
        assert (world.cluster.data("rate")["rate"], world.cluster.data("rate")["date"]) == ("1.0696", "2024-06-27")
        world.cluster.edit("rate", date=None)
        await asyncio.sleep(10.0)
        assert world.cluster.data("rate")["rate"] == "1.2"
        assert "requestedDate" not in world.cluster.status("rate")

    world.run(story())


def test_one_answer_serves_all_the_days_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it holds them; a day that it lacks is asked for by itself, and takes no other along."""
    upstream = Archive("ecb", TODAY, USD="1.2")
    upstream.whole, lost = True, dt.date(2024, 2, 7)
    upstream.lost[lost] = FetchError("the quote for USD is not usable")
    world = World(monkeypatch, NOW, upstream, rest_s=HOUR_S)

    async def story() -> None:
        for day in range(1, 29):
            world.cluster.add(f"rate-{day}", date=f"2024-02-{day:02}")
        await asyncio.sleep(60.0)
        ready = {day: world.cluster.ready(f"rate-{day}") for day in range(1, 29)}
        assert ready.pop(lost.day) == "ProviderUnavailable"
        assert set(ready.values()) == {"Published"}
        assert world.cluster.data("rate-28")["date"] == "2024-02-28"
        assert len([day for day in upstream.days if day != lost]) <= 4

    world.run(story())


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        pytest.param({"date": "2024-06-28", "provider": "plain"}, "HistoryNotSupported", id="no history"),
        pytest.param({"date": "2026-10-29"}, "InvalidSpec", id="not over yet"),
        pytest.param({"date": "2024-06-28", "currency": "RUB"}, "CurrencyNotSupported", id="not quoted that day"),
    ],
)
def test_what_cannot_be_had_is_refused_clearly(
    monkeypatch: pytest.MonkeyPatch, spec: dict[str, object], reason: str
) -> None:
    """And costs no call for today's rates."""
    upstream, plain = Archive("ecb", TODAY, USD="1.2"), Upstream("plain", TODAY, USD="1.2")
    monkeypatch.setattr("exchangerates.spec.PROVIDERS", ("ecb", "plain"))
    world = World(monkeypatch, dt.datetime(2026, 10, 29, 20, tzinfo=dt.UTC), upstream, plain, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", **spec)
        await asyncio.sleep(60.0)
        assert world.cluster.ready("rate") == reason
        assert (upstream.calls, plain.calls, world.cluster.data("rate")) == (0, 0, {})
        if reason == "InvalidSpec":
            await asyncio.sleep(5 * HOUR_S)
            assert world.cluster.ready("rate") == "Published", "the day is over"

    world.run(story())


def test_a_day_whose_rate_comes_late_gets_no_other_days_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for every hour, by one call however many want it, and published once."""
    day = dt.date(2024, 6, 27)
    upstream = Archive("ecb", day, USD="1.2")
    upstream.late = {day}
    world = World(monkeypatch, dt.datetime(2024, 6, 28, 0, 30, tzinfo=dt.UTC), upstream, rest_s=HOUR_S)

    async def story() -> None:
        for number in range(20):
            world.cluster.add(f"rate-{number}", date="2024-06-27", target={"immutable": True})
        await asyncio.sleep(9.5 * HOUR_S)
        assert (world.cluster.ready("rate-0"), world.cluster.maps) == ("InvalidSpec", {})
        assert "ecb has no rate of 2024-06-27 yet" in world.cluster.message("rate-0")
        assert len(upstream.days) == 10
        upstream.late.clear()
        await asyncio.sleep(1.1 * HOUR_S)
        assert {world.cluster.data(f"rate-{number}")["date"] for number in range(20)} == {"2024-06-27"}
        await asyncio.sleep(72 * HOUR_S)
        assert len(upstream.days) == 11
        assert world.cluster.writes["create"] == 20

    world.run(story())


@pytest.mark.parametrize(
    ("asked", "day", "quoted", "wait_h"),
    [
        pytest.param("2024-06-30", "2024-06-29", "2024-06-28", 0, id="Saturday, asked on Sunday"),
        pytest.param("2024-07-01", "2024-06-30", "2024-06-28", 0, id="Sunday, asked on Monday"),
        pytest.param("2024-04-02", "2024-04-01", "2024-03-28", 23, id="Easter Monday, asked on Tuesday"),
        pytest.param("2024-04-03", "2024-04-01", "2024-03-28", 0, id="Easter Monday, asked on Wednesday"),
        pytest.param("2024-03-31", "2024-03-30", "2024-03-28", 23, id="the day after Good Friday"),
    ],
)
def test_a_day_without_a_rate_gets_the_last_before_it_when_none_can_come(
    monkeypatch: pytest.MonkeyPatch, asked: str, day: str, quoted: str, wait_h: int
) -> None:
    """At once where no working day lies between, else a day later: nobody knows a holiday from a delay."""
    world = World(
        monkeypatch, dt.datetime.fromisoformat(f"{asked}T01:00Z"), Archive("ecb", TODAY, USD="1.2"), rest_s=HOUR_S
    )

    async def story() -> None:
        world.cluster.add("rate", date=day)
        await asyncio.sleep(wait_h * HOUR_S - 60.0 if wait_h else 1.0)
        assert world.cluster.data("rate").get("date") == (None if wait_h else quoted)
        await asyncio.sleep(1.1 * HOUR_S)
        assert world.cluster.data("rate")["date"] == quoted

    world.run(story())
