"""Providers that fail or may not be asked yet: how often they are called all the same, and what is served meanwhile."""

import pytest
from tests.unit.chain import Clock, Upstream, quote, spec, table

from exchangerates.errors import AccessRefused, FetchedBefore, FetchError, ProviderRefused, ProviderUnavailable
from exchangerates.rate_tables import RateTables
from exchangerates.source import MAX_PATIENT_PAUSE_S, QUICK_TRIES


@pytest.mark.parametrize(
    ("error", "raised", "least_s"),
    [
        pytest.param(FetchError("HTTP 503"), ProviderUnavailable, 1.0, id="a first failure"),
        pytest.param(FetchError("HTTP 429", retry_after_s=120.0), ProviderUnavailable, 119.0, id="Retry-After"),
        pytest.param(AccessRefused("key"), ProviderRefused, 3599.0, id="a refused key"),
    ],
)
async def test_a_failing_provider_is_left_alone(error: FetchError, raised: type[Exception], least_s: float) -> None:
    """However often objects ask, the pause is kept."""
    upstream = Upstream("ecb", error)
    tables = RateTables([upstream.source])
    for _ in range(20):
        with pytest.raises(raised) as caught:
            await quote(tables, spec())
    assert upstream.calls == 1
    assert getattr(caught.value, "retry_after_s", 0.0) >= least_s


async def calls_in(clock: Clock, upstream: Upstream, seconds: int, *, urgent: bool, every_s: int = 1) -> int:
    """Ask again and again for this long; give how many calls that made."""
    tables, before = RateTables([upstream.source]), upstream.calls
    for _ in range(0, seconds, every_s):
        with pytest.raises((ProviderUnavailable, ProviderRefused)):
            await quote(tables, spec(interval_s=60.0), urgent=urgent)
        clock.forward(every_s)
    return upstream.calls - before


async def test_an_outage_costs_few_calls_while_every_object_has_a_rate(clock: Clock) -> None:
    """An hour of failures costs less than an hour of the shortest interval."""
    upstream = Upstream("ecb", FetchError("HTTP 500"), min_interval_s=20.0)
    assert await calls_in(clock, upstream, 3600, urgent=False) <= 12


async def test_an_object_without_a_rate_is_served_soon_after_an_outage(clock: Clock) -> None:
    """After a few quick tries a call is made once per least interval, however many ask, and never more often."""
    upstream = Upstream("ecb", FetchError("HTTP 500"), min_interval_s=20.0)
    await calls_in(clock, upstream, 30, urgent=True)
    calls = await calls_in(clock, upstream, 600, urgent=True)
    assert 600 // 22 <= calls <= 600 // 20
    assert calls > 2 * QUICK_TRIES


async def test_a_long_least_interval_holds_for_a_failing_provider_too(clock: Clock) -> None:
    """A provider with a hundred calls a month loses a few to a long outage, not all."""
    upstream = Upstream("exchangeratesapi", FetchError("HTTP 500"), min_interval_s=8 * 3600.0)
    assert await calls_in(clock, upstream, 4 * 3600, urgent=True, every_s=10) <= 1 + QUICK_TRIES
    patient = Upstream("exchangeratesapi", FetchError("HTTP 500"), min_interval_s=8 * 3600.0)
    assert await calls_in(clock, patient, 4 * 3600, urgent=False, every_s=10) == 1
    assert MAX_PATIENT_PAUSE_S < 4 * 3600


async def test_the_last_table_serves_while_all_providers_fail(clock: Clock) -> None:
    """It is better than none; its date says how old it is."""
    upstream = Upstream("ecb", table("ecb", USD="1.1"), FetchError("HTTP 500"), min_interval_s=20.0)
    tables = RateTables([upstream.source])
    await quote(tables, spec(interval_s=0.0))
    clock.forward(21.0)
    fetched = await quote(tables, spec(interval_s=0.0))
    assert fetched.quotes[0].rate == "1.1"
    assert upstream.calls == 2


async def test_a_restart_within_the_least_interval_costs_no_call(clock: Clock) -> None:
    """While what is published is good; who has no rate, or waits till then, gets one."""
    upstream = Upstream("ecb", table("ecb", USD="1.1"), min_interval_s=3600.0)
    tables = RateTables([upstream.source, Upstream("frankfurter", FetchError("must not be asked")).source])
    tables.remember("ecb", 600.0)
    tables.remember("not-enabled", 600.0)
    with pytest.raises(FetchedBefore) as caught:
        await quote(tables, spec(interval_s=60.0), urgent=False)
    assert 2990.0 < caught.value.usable_s <= 3000.0
    clock.forward(3001.0)
    assert (await quote(tables, spec(interval_s=60.0), urgent=False)).quotes[0].rate == "1.1"
    assert upstream.calls == 1


async def test_who_has_no_rate_does_not_wait_after_a_restart() -> None:
    """A new object is worth the one call that a restart may cost."""
    upstream = Upstream("ecb", table("ecb", USD="1.1"))
    tables = RateTables([upstream.source])
    tables.remember("ecb", 600.0)
    assert (await quote(tables, spec(), urgent=True)).quotes[0].rate == "1.1"
