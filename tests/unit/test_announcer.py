"""What the operator tells of itself: once a day, on its own Deployment, and never at the cost of anything else."""

import asyncio
import datetime as dt
import logging

import pytest
from tests.unit.fast_loop import clock, run_fast
from tests.unit.upstreams import Archive, Upstream
from tests.unit.world import World

from exchangerates.announcer import Announcer
from exchangerates.api import Reason
from exchangerates.errors import ApiError
from exchangerates.objects import ObjectKey

NOON = dt.datetime(2026, 10, 30, 12, tzinfo=dt.UTC)
DEPLOYMENT = ObjectKey("rates", "operator")


class Events:
    """A cluster that keeps events, or refuses them."""

    def __init__(self, status: int | None = None) -> None:
        self.names: list[str] = []
        self.messages: list[str] = []
        self._status = status

    async def create_deployment_event(
        self, deployment: ObjectKey, name: str, *, reason: Reason, message: str, time: str
    ) -> None:
        """Take one event."""
        assert (deployment, reason, bool(time)) == (DEPLOYMENT, Reason.INTERVAL_LENGTHENED, True)
        if self._status is not None or name in self.names:
            raise ApiError(self._status or 409, {"message": "refused"})
        self.names.append(name)
        self.messages.append(message)


def test_a_day_has_one_event_per_provider_also_over_restarts(caplog: pytest.LogCaptureFixture) -> None:
    """The API server refuses the day's name a second time, which is no news."""
    events = Events()

    async def story() -> None:
        for _ in range(3):  # started anew eight hours later: at noon, at eight in the evening, at four in the morning
            announcer = Announcer(events, DEPLOYMENT, clock(NOON))
            for provider in ("ecb", "openexchangerates"):
                announcer.interval_lengthened(provider, f"{provider} is asked too often")
            await asyncio.sleep(8 * 3600.0)

    run_fast(story())
    days = [f"operator.{provider}.2026-10-{day}" for day in (30, 31) for provider in ("ecb", "openexchangerates")]
    assert events.names == days
    assert events.messages[0] == "ecb is asked too often"
    assert caplog.records == []


def test_an_event_that_is_refused_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing else suffers from it."""

    async def story() -> None:
        Announcer(Events(403), DEPLOYMENT, clock(NOON)).interval_lengthened("ecb", "x")
        await asyncio.sleep(1.0)

    with caplog.at_level(logging.WARNING):
        run_fast(story())
    assert caplog.messages == ["no event IntervalLengthened for Deployment rates/operator: HTTP 403: refused"]


def test_an_operator_without_a_deployment_records_nothing() -> None:
    """As a process on somebody's machine."""
    events = Events()

    async def story() -> None:
        Announcer(events, None, clock(NOON)).interval_lengthened("ecb", "x")
        await asyncio.sleep(1.0)

    run_fast(story())
    assert events.names == []


def test_a_lengthened_interval_is_announced_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many objects wish for more, and however often; and not at all while the budget does."""
    upstream = Upstream("ecb", dt.date(2026, 10, 30), USD="1.1")
    upstream.limit = 6
    world = World(monkeypatch, NOON, upstream)

    async def story() -> None:
        world.cluster.add("modest", refreshInterval="6h")
        await asyncio.sleep(3 * 24 * 3600.0)
        assert world.announced == []
        for number in range(5):
            world.cluster.add(f"rate-{number}", refreshInterval="1m")
        await asyncio.sleep(3 * 24 * 3600.0 - 60.0)
        assert [provider for provider, _ in world.announced] == ["ecb"] * 3
        assert "maxCallsPerDay (6)" in world.announced[0][1]

    world.run(story())


def test_days_that_wait_for_a_call_are_announced_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """They share half of the budget; when the last of them has its rate, nobody waits any more."""
    archive = Archive("ecb", dt.date(2026, 10, 30), USD="1.1")
    archive.limit = 4
    world = World(monkeypatch, NOON, archive)

    async def story() -> None:
        for day in (3, 4, 5):
            world.cluster.add(f"day-{day}", date=f"2024-06-0{day}")
        await asyncio.sleep(3600.0)
        assert [provider for provider, _ in world.announced] == ["ecb"]
        assert world.tables.budgets() == {"ecb": (1, 3, True)}
        await asyncio.sleep(25 * 3600.0)
        assert {world.cluster.ready(f"day-{day}") for day in (3, 4, 5)} == {"Published"}
        assert world.tables.budgets() == {"ecb": (2, 2, False)}

    world.run(story())
