"""One upstream call serves all, whoever asks and however it fails."""

import asyncio
import datetime as dt
import threading
from dataclasses import replace
from decimal import Decimal

import pytest

from exchangerates.errors import (
    AccessRefused,
    CurrencyNotSupported,
    FetchedBefore,
    FetchError,
    FetchUnderWay,
    ProviderNotEnabled,
    ProviderRefused,
    ProviderUnavailable,
)
from exchangerates.rate_tables import Fetched, RateTables
from exchangerates.rates import Price, RateTable
from exchangerates.source import MAX_PATIENT_PAUSE_S, QUICK_TRIES, Source
from exchangerates.spec import ExchangeRateSpec
from exchangerates.target import Target

DAY = dt.date(2026, 10, 30)


def table(provider: str, **rates: str) -> RateTable:
    """Give a table against EUR."""
    return RateTable(provider, "EUR", {currency: Price(Decimal(rate), DAY) for currency, rate in rates.items()})


def spec(currency: str = "USD", *, provider: str | None = None, interval_s: float = 3600.0) -> ExchangeRateSpec:
    """Give a spec with base EUR."""
    target = Target("x", "rate", labels={}, annotations={})
    return ExchangeRateSpec((currency,), "EUR", provider, interval_s, 604800.0, suspend=False, target=target)


class Upstream:
    """A provider that answers what it is told to, and counts."""

    def __init__(self, name: str, *answers: RateTable | Exception, min_interval_s: float = 3600.0) -> None:
        self.calls = 0
        self.gate = threading.Event()
        self.gate.set()
        self._answers = list(answers)
        self.source = Source(name, self._fetch, min_interval_s, lambda *_: None)

    def _fetch(self) -> RateTable:
        self.calls += 1
        assert self.gate.wait(30.0)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def quote(tables: RateTables, asked: ExchangeRateSpec, *, urgent: bool = True) -> Fetched:
    """Ask for a quote as passes do: again whenever a call has ended."""
    while True:
        try:
            return tables.quote(asked, asked.refresh_interval_s, urgent=urgent)
        except FetchUnderWay as waiting:
            await asyncio.wait({waiting.call})


class Clock:
    """The running loop's clock, which can be put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        real, self._ahead_s = loop.time, 0.0
        monkeypatch.setattr(loop, "time", lambda: real() + self._ahead_s)

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead_s += seconds


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The test's clock."""
    return Clock(monkeypatch)


async def test_callers_of_one_moment_share_one_call() -> None:
    """A thousand objects that start together cost the provider one call."""
    upstream = Upstream("ecb", table("ecb", USD="1.1", GBP="0.8"))
    upstream.gate.clear()
    tables = RateTables([upstream.source])
    asked = [asyncio.create_task(quote(tables, spec("USD" if number % 2 else "GBP"))) for number in range(1000)]
    await asyncio.sleep(0)
    upstream.gate.set()
    answers = await asyncio.gather(*asked)
    assert upstream.calls == 1
    assert {answer.quotes[0].rate for answer in answers} == {"1.1", "0.8"}


async def test_a_short_interval_does_not_fetch_sooner_than_the_provider_allows() -> None:
    """An impatient object looks at the table again."""
    upstream = Upstream("ecb", table("ecb", USD="1.1"))
    tables = RateTables([upstream.source])
    for _ in range(50):
        await quote(tables, spec(interval_s=0.0))
    assert upstream.calls == 1


async def test_an_old_table_is_fetched_anew(clock: Clock) -> None:
    """Beyond both the interval and the provider's least interval."""
    upstream = Upstream("ecb", table("ecb", USD="1.1"), table("ecb", USD="1.2"), min_interval_s=20.0)
    tables = RateTables([upstream.source])
    await quote(tables, spec(interval_s=0.0))
    clock.forward(21.0)
    assert (await quote(tables, spec(interval_s=0.0))).quotes[0].rate == "1.2"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(FetchError("HTTP 500"), id="failure"),
        pytest.param(AccessRefused("key"), id="refusal"),
        pytest.param(RuntimeError("unforeseen"), id="unforeseen"),
    ],
)
async def test_the_next_provider_answers_for_one_that_fails(error: Exception) -> None:
    """And the quote says who gave it."""
    broken, well = Upstream("frankfurter", error), Upstream("ecb", table("ecb", USD="1.1"))
    fetched = await quote(RateTables([broken.source, well.source]), spec())
    assert fetched.quotes[0].provider == "ecb"


async def test_the_next_provider_answers_for_a_missing_currency() -> None:
    """A provider that does not quote a currency is no failure."""
    first, second = Upstream("ecb", table("ecb", USD="1.1")), Upstream("frankfurter", table("frankfurter", CHF="0.9"))
    assert (await quote(RateTables([first.source, second.source]), spec("CHF"))).quotes[0].provider == "frankfurter"


async def test_what_is_missing_is_named_with_who_does_not_quote_it() -> None:
    """Of a set no more than that; and a provider that fails says so beside those that answered."""
    first = Upstream("frankfurter", table("frankfurter", USD="1.1", GBP="0.8"))
    second = Upstream("ecb", table("ecb", USD="1.1", CHF="0.9"))
    wanted = replace(spec(), currencies=("USD", "GBP", "CHF", "XXX"))
    told = "no quote for EUR to USD, GBP, CHF, XXX: "
    lacking = "CHF is not quoted by frankfurter; XXX is not quoted by frankfurter, ecb; GBP is not quoted by ecb; "
    with pytest.raises(CurrencyNotSupported) as caught:
        await quote(RateTables([first.source, second.source]), wanted)
    assert str(caught.value).startswith(f"{told}{lacking}check the codes")
    broken = Upstream("openexchangerates", FetchError("HTTP 500"))
    with pytest.raises(ProviderUnavailable) as unavailable:
        await quote(RateTables([first.source, second.source, broken.source]), wanted)
    assert str(unavailable.value).startswith(f"{told}{lacking}openexchangerates: HTTP 500; ")


async def test_a_missing_base_is_named() -> None:
    """It is no fault of the currency's."""
    upstream = Upstream("ecb", table("ecb", USD="1.1"))
    with pytest.raises(CurrencyNotSupported, match="no quote for XAU to USD: XAU is not quoted by ecb; check"):
        await quote(RateTables([upstream.source]), replace(spec(), base="XAU"))


async def test_a_pinned_provider_has_no_fallback() -> None:
    """Another provider's rate would not be what was asked for."""
    broken, well = Upstream("frankfurter", FetchError("HTTP 500")), Upstream("ecb", table("ecb", USD="1.1"))
    with pytest.raises(ProviderUnavailable, match="frankfurter: HTTP 500"):
        await quote(RateTables([broken.source, well.source]), spec(provider="frankfurter"))
    assert well.calls == 0


async def test_a_provider_that_the_stack_did_not_enable_is_told() -> None:
    """With those that are."""
    with pytest.raises(ProviderNotEnabled, match="not enabled in this cluster, only ecb"):
        await quote(RateTables([Upstream("ecb", table("ecb")).source]), spec(provider="frankfurter"))


async def test_a_currency_that_nobody_quotes_is_told_without_asking_again() -> None:
    """Asking hot would not make the currency appear."""
    upstream = Upstream("ecb", table("ecb", USD="1.1"))
    tables = RateTables([upstream.source])
    for _ in range(20):
        with pytest.raises(CurrencyNotSupported) as caught:
            await quote(tables, spec("XXX", interval_s=60.0))
        assert caught.value.retry_after_s == 60.0
    assert upstream.calls == 1


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


async def calls_in(clock: Clock, upstream: Upstream, seconds: int, *, urgent: bool) -> int:
    """Ask every second for this long; give how many calls that made."""
    tables, before = RateTables([upstream.source]), upstream.calls
    for _ in range(seconds):
        with pytest.raises((ProviderUnavailable, ProviderRefused)):
            await quote(tables, spec(interval_s=60.0), urgent=urgent)
        clock.forward(1.0)
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
    assert await calls_in(clock, upstream, 4 * 3600, urgent=True) <= 1 + QUICK_TRIES
    patient = Upstream("exchangeratesapi", FetchError("HTTP 500"), min_interval_s=8 * 3600.0)
    assert await calls_in(clock, patient, 4 * 3600, urgent=False) == 1
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


async def test_every_call_is_observed(clock: Clock) -> None:
    """Success with its table, failure without one."""
    heard: list[tuple[str, bool]] = []
    upstream = Upstream("ecb", FetchError("HTTP 500"), table("ecb", USD="1.1"), min_interval_s=20.0)
    upstream.source.observer = lambda name, _, found: heard.append((name, found is not None))
    tables = RateTables([upstream.source])
    with pytest.raises(ProviderUnavailable):
        await quote(tables, spec())
    clock.forward(60.0)
    await quote(tables, spec())
    assert heard == [("ecb", False), ("ecb", True)]
