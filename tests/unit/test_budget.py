"""Calls to a provider stay within the day's budget, whoever wants more."""

import asyncio
import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.upstreams import Upstream, failing
from tests.unit.world import World

from exchangerates.budget import DAY_S, Budget
from exchangerates.errors import FetchUnderWay
from exchangerates.rates import Price, RateTable
from exchangerates.source import Source

FRIDAY = dt.date(2026, 10, 30)
NIGHT = dt.datetime(2026, 10, 30, 20, tzinfo=dt.UTC)
HOUR_S = 3600.0


@given(
    limit=st.integers(1, 20),
    wishes=st.lists(st.tuples(st.floats(0.0, 40000.0), st.booleans()), min_size=1, max_size=60),
)
def test_no_day_has_more_calls_than_the_limit(limit: int, wishes: list[tuple[float, bool]]) -> None:
    """For any wishes, urgent or not; and it never waits for ever."""
    budget, now, calls = Budget(limit), 0.0, list[float]()
    for pause, urgent in wishes:
        now += pause
        at = budget.next_call(now, urgent=urgent)
        assert now <= at <= now + DAY_S
        if at <= now:
            budget.count(now)
            calls.append(now)
    for first in calls:
        assert sum(1 for at in calls if first <= at < first + DAY_S) <= limit


def test_calls_are_spread_over_the_day_and_urgent_ones_are_not() -> None:
    """An object without a rate waits only where none is left."""
    budget = Budget(4)
    budget.count(0.0)
    assert budget.next_call(10.0, urgent=False) == 6 * HOUR_S
    assert budget.next_call(10.0, urgent=True) == 10.0
    for at in (10.0, 20.0, 30.0):
        budget.count(at)
    assert (budget.used(40.0), budget.next_call(40.0, urgent=True)) == (4, DAY_S)
    assert budget.used(DAY_S) == 3


def test_impatient_objects_and_restarts_stay_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten days of one-minute intervals and daily restarts; the rate follows at the longer interval."""
    upstream = Upstream("ecb", FRIDAY, USD="1.1")
    upstream.limit = 6
    world = World(monkeypatch, NIGHT, upstream, rest_s=HOUR_S)

    async def story() -> None:
        for number in range(5):
            world.cluster.add(f"rate-{number}", refreshInterval="1m")
        await asyncio.sleep(HOUR_S)
        assert world.tables.budgets() == {"ecb": (1, 5, True)}
        for day in range(1, 11):
            before = upstream.calls
            upstream.date, upstream.rates = FRIDAY + dt.timedelta(days=day), {"USD": f"1.{day + 10}"}
            await asyncio.sleep(12 * HOUR_S)
            await world.restart()
            await asyncio.sleep(12 * HOUR_S)
            assert 2 <= upstream.calls - before <= 6
            assert world.cluster.data("rate-0")["rate"] == f"1.{day + 10}"

    world.run(story())


def test_an_outage_does_not_eat_up_more_than_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though somebody has no rate at all; then the object says why, and it is served when there is a call again."""
    upstream = failing(Upstream("ecb", FRIDAY, USD="1.1"))
    upstream.limit = 5
    world = World(monkeypatch, NIGHT, upstream, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(20 * HOUR_S)
        assert upstream.calls == 5
        upstream.error = None
        await asyncio.sleep(6 * HOUR_S)
        assert (world.cluster.ready("rate"), upstream.calls) == ("Published", 6)

    world.run(story())


async def test_a_table_is_fetched_anew_where_there_is_a_call_left() -> None:
    """With a clock that goes on while it is read, which that of the other tests does not."""
    calls = list[int]()

    def fetch() -> RateTable:
        calls.append(1)
        return RateTable("ecb", "EUR", {"USD": Price(Decimal("1.1"), FRIDAY)})

    budget = Budget(10**9)
    source = Source("ecb", fetch, 0.0, lambda *_: None, budget=budget)
    while len(calls) < 3:
        try:
            source.latest(0.0, urgent=len(calls) == 2)
        except FetchUnderWay as waiting:
            await asyncio.wait({waiting.call})
    assert not budget.lengthened


class Restless(Upstream):
    """A rate provider that quotes another number at each call."""

    def fetch(self) -> RateTable:
        """Answer one call."""
        self.rates = {"USD": f"1.{100 + self.calls}"}
        return super().fetch()


def test_calls_that_left_a_trace_count_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator that is started anew every two hours makes no more calls in a day than one that runs on."""
    upstream = Restless("ecb", FRIDAY)
    upstream.limit = 6
    world = World(monkeypatch, NIGHT, upstream, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", refreshInterval="1m")
        for _ in range(12):
            await asyncio.sleep(2 * HOUR_S)
            await world.restart()
        assert 5 <= upstream.calls <= 6

    world.run(story())
