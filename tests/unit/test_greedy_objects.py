"""A budget is everybody's: nobody's wishes leave the others without a newer rate."""

import asyncio
import datetime as dt

import pytest
from tests.unit.upstreams import Archive, Upstream
from tests.unit.world import World

from exchangerates import day_tables

FRIDAY = dt.date(2026, 10, 30)
MIDNIGHT = dt.datetime(2026, 10, 30, tzinfo=dt.UTC)
HOUR_S = 3600.0
CALLS = 24
GREEDY = 300
"""More than a provider is asked for in two hours."""


async def late_h(world: World, upstream: Upstream) -> float:
    """Quote three days' rates, and give the hours until the calm object has each; the most of them."""
    late = []
    for day in range(1, 4):
        await asyncio.sleep(16 * HOUR_S)
        upstream.date, upstream.rates = FRIDAY + dt.timedelta(days=day), {"USD": f"1.{day}"}
        hours = 0
        while world.cluster.data("calm")["rate"] != f"1.{day}" and hours < 24:
            await asyncio.sleep(HOUR_S)
            hours += 1
        late.append(hours)
        await asyncio.sleep((8 - min(hours, 8)) * HOUR_S)
    return max(late)


@pytest.mark.parametrize(
    "spec",
    [{"maxAge": "1h", "refreshInterval": "1m"}, {"currency": "XXX", "refreshInterval": "1m"}],
    ids=["always too old", "a currency that nobody quotes"],
)
def test_an_object_without_a_good_rate_does_not_use_up_the_days_calls(
    monkeypatch: pytest.MonkeyPatch, spec: dict[str, str]
) -> None:
    """The provider has just answered: to ask it again at once would tell nothing new."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.0")
    upstream.limit = CALLS
    world = World(monkeypatch, MIDNIGHT, upstream, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("calm")
        world.cluster.add("greedy", **spec)
        await asyncio.sleep(HOUR_S)
        assert upstream.calls <= 3
        assert await late_h(world, upstream) <= 2

    world.run(story())


def test_days_that_are_over_leave_half_the_calls_to_the_newest_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than it has calls for, one a call; they come in the end."""
    upstream = Archive("ecb", FRIDAY, USD="1.0")
    upstream.limit = CALLS
    world = World(monkeypatch, MIDNIGHT, upstream, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("calm")
        await asyncio.sleep(5.0)
        for number in range(100):
            world.cluster.add(f"day-{number}", date=str(dt.date(2020, 1, 6) + dt.timedelta(days=number)))
        assert await late_h(world, upstream) <= 2
        assert len(upstream.days) >= 30

    world.run(story())


def test_hundreds_of_days_cost_a_provider_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that answers for a day at a time gets some calls, and then one a minute."""
    upstream = Archive("frankfurter", FRIDAY, USD="1.0")
    world = World(monkeypatch, MIDNIGHT, upstream, rest_s=HOUR_S)

    async def story() -> None:
        for number in range(GREEDY):
            world.cluster.add(f"greedy-{number}", date=(dt.date(2020, 1, 6) + dt.timedelta(days=number)).isoformat())
        await asyncio.sleep(HOUR_S)
        made = len(upstream.days)
        assert made <= day_tables.QUICK_CALLS + 65
        await asyncio.sleep(HOUR_S)
        assert len(upstream.days) <= made + 65
        assert {world.cluster.ready(f"greedy-{number}") for number in range(GREEDY)} == {
            "Published",
            "ProviderUnavailable",
        }

    world.run(story())


def test_days_that_are_too_many_for_one_provider_go_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one answers for all of them with a few downloads."""
    first, second = Archive("frankfurter", FRIDAY, USD="1.0"), Archive("ecb", FRIDAY, USD="1.0")
    second.whole = True
    world = World(monkeypatch, MIDNIGHT, first, second, rest_s=HOUR_S)

    async def story() -> None:
        for number in range(2 * GREEDY):
            world.cluster.add(f"greedy-{number}", date=(dt.date(2020, 1, 6) + dt.timedelta(days=number)).isoformat())
        await asyncio.sleep(600.0)
        assert {world.cluster.ready(f"greedy-{number}") for number in range(2 * GREEDY)} == {"Published"}
        assert (len(first.days) < 100, len(second.days) < 20) == (True, True)

    world.run(story())
