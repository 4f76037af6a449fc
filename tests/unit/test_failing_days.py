"""Rates of days that are over, from a provider that fails, refuses or asks for patience."""

import asyncio
import datetime as dt

import pytest
from tests.unit.upstreams import Archive, failing
from tests.unit.world import World

from exchangerates.errors import AccessRefused, FetchError

NOW = dt.datetime(2026, 11, 25, 20, tzinfo=dt.UTC)
TODAY = NOW.date()
HOUR_S = 3600.0


def test_days_are_fetched_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are wanted at once; a provider that fails is left alone ever longer, and each object says so."""
    upstream = Archive("ecb", TODAY, USD="1.2")
    world = World(monkeypatch, NOW, upstream)

    async def story() -> None:
        failing(upstream)
        for day in range(1, 29):
            world.cluster.add(f"rate-{day}", date=f"2024-02-{day:02}")
        await asyncio.sleep(HOUR_S)
        assert len(upstream.days) <= 20
        assert {world.cluster.ready(f"rate-{day}") for day in range(1, 29)} == {"ProviderUnavailable"}
        upstream.error = None
        upstream.days.clear()
        await asyncio.sleep(HOUR_S)
        assert {world.cluster.ready(f"rate-{day}") for day in range(1, 29)} == {"Published"}
        assert len(upstream.days) == 28

    world.run(story())


def test_what_a_provider_asks_for_by_retry_after_holds_for_every_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call, however many days are wanted; the next one when the time is over."""
    upstream = Archive("ecb", TODAY, USD="1.2")
    world = World(monkeypatch, NOW, upstream)

    async def story() -> None:
        upstream.error = FetchError("HTTP 429", retry_after_s=1800.0)
        for day in range(1, 29):
            world.cluster.add(f"rate-{day}", date=f"2024-02-{day:02}")
        await asyncio.sleep(1790.0)
        assert len(upstream.days) == 1
        assert world.cluster.ready("rate-28") == "ProviderUnavailable"
        upstream.error = None
        await asyncio.sleep(300.0)
        assert {world.cluster.ready(f"rate-{day}") for day in range(1, 29)} == {"Published"}

    world.run(story())


def test_a_retry_after_of_the_newest_table_holds_for_the_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """No day is asked for while it lasts; then the newest comes first."""
    upstream = Archive("ecb", TODAY, USD="1.2")
    world = World(monkeypatch, NOW, upstream)

    async def story() -> None:
        upstream.newest_error = FetchError("HTTP 429", retry_after_s=7200.0)
        world.cluster.add("newest")
        await asyncio.sleep(10.0)
        world.cluster.add("day", date="2024-06-28")
        await asyncio.sleep(HOUR_S)
        assert (upstream.calls, upstream.days) == (1, [])
        assert "HTTP 429" in world.cluster.status("day")["conditions"][0]["message"]
        await asyncio.sleep(HOUR_S + 600.0)
        assert (upstream.calls, upstream.days) == (2, [])
        upstream.newest_error = None
        await asyncio.sleep(3 * HOUR_S)
        assert (world.cluster.ready("newest"), world.cluster.ready("day")) == ("Published", "Published")

    world.run(story())


def test_a_retry_after_of_a_day_holds_for_the_newest_table_but_does_not_starve_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The day, which is refused again and again, gets behind it."""
    upstream = Archive("ecb", TODAY, USD="1.2")
    upstream.lost[dt.date(2024, 6, 28)] = FetchError("HTTP 429", retry_after_s=7200.0)
    world = World(monkeypatch, NOW, upstream)

    async def story() -> None:
        world.cluster.add("day", date="2024-06-28")
        await asyncio.sleep(10.0)
        world.cluster.add("newest")
        await asyncio.sleep(HOUR_S)
        assert (upstream.calls, len(upstream.days)) == (0, 1)
        assert world.cluster.ready("newest") == "ProviderUnavailable"
        await asyncio.sleep(HOUR_S + 600.0)
        assert (upstream.calls, len(upstream.days)) == (1, 2)
        assert world.cluster.ready("newest") == "Published"

    world.run(story())


def test_a_refused_day_waits_for_the_least_interval_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan may allow the newest table, and no other."""
    upstream = Archive("openexchangerates", TODAY, USD="1.2")
    upstream.least_interval_s = HOUR_S
    upstream.lost[dt.date(2024, 6, 28)] = AccessRefused("access refused (not_allowed)")
    world = World(monkeypatch, NOW, upstream)

    async def story() -> None:
        world.cluster.add("day", date="2024-06-28")
        await asyncio.sleep(10.0)
        world.cluster.add("newest")
        await asyncio.sleep(50 * 60.0)
        assert (world.cluster.ready("day"), world.cluster.ready("newest")) == ("ProviderRefused", "Published")
        assert (upstream.calls, len(upstream.days)) == (1, 1)
        await asyncio.sleep(24 * HOUR_S)
        assert 20 <= len(upstream.days) <= 25

    world.run(story())


def test_a_plain_failure_of_the_newest_table_leaves_the_days_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one file lacks another may have."""
    upstream = Archive("ecb", TODAY, USD="1.2")
    world = World(monkeypatch, NOW, upstream)

    async def story() -> None:
        upstream.newest_error = FetchError("HTTP 500")
        world.cluster.add("newest")
        world.cluster.add("day", date="2024-06-28")
        await asyncio.sleep(60.0)
        assert (world.cluster.ready("newest"), world.cluster.ready("day")) == ("ProviderUnavailable", "Published")

    world.run(story())


def test_a_failing_day_costs_a_provider_with_few_calls_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the end one per least interval."""
    upstream = Archive("openexchangerates", TODAY, USD="1.2")
    upstream.least_interval_s = HOUR_S
    upstream.lost[dt.date(2024, 6, 28)] = FetchError("HTTP 400 without quotes")
    world = World(monkeypatch, NOW, upstream)

    async def story() -> None:
        world.cluster.add("day", date="2024-06-28")
        await asyncio.sleep(2 * HOUR_S)
        upstream.days.clear()
        await asyncio.sleep(24 * HOUR_S)
        assert 12 <= len(upstream.days) <= 24

    world.run(story())
