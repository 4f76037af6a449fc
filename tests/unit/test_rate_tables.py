"""One upstream call serves all, whoever asks and however it fails."""

import asyncio
import datetime as dt
import threading
from decimal import Decimal

import pytest

from exchangerates.errors import (
    AccessRefused,
    CurrencyNotSupported,
    FetchError,
    ProviderNotEnabled,
    ProviderRefused,
    ProviderUnavailable,
)
from exchangerates.rate_tables import QUICK_TRIES, RateTables, Source
from exchangerates.rates import Price, RateTable
from exchangerates.spec import ExchangeRateSpec, Target

DAY = dt.date(2026, 10, 30)


def table(provider: str, **rates: str) -> RateTable:
    """Give a table against EUR."""
    return RateTable(provider, "EUR", {currency: Price(Decimal(rate), DAY) for currency, rate in rates.items()})


def spec(currency: str = "USD", *, provider: str | None = None, interval_s: float = 3600.0) -> ExchangeRateSpec:
    """Give a spec with base EUR."""
    target = Target("x", "rate", labels={}, annotations={})
    return ExchangeRateSpec(currency, "EUR", provider, interval_s, 604800.0, suspend=False, target=target)


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


async def test_callers_of_one_moment_share_one_call() -> None:
    """A thousand objects that start together cost the provider one call."""
    upstream = Upstream("ecb", table("ecb", USD="1.1", GBP="0.8"))
    upstream.gate.clear()
    tables = RateTables([upstream.source])
    asked = [asyncio.create_task(tables.quote(spec("USD" if number % 2 else "GBP"))) for number in range(1000)]
    await asyncio.sleep(0)
    upstream.gate.set()
    answers = await asyncio.gather(*asked)
    assert upstream.calls == 1
    assert {answer.quote.rate for answer in answers} == {"1.1", "0.8"}


async def test_a_short_interval_does_not_fetch_sooner_than_the_provider_allows() -> None:
    """An impatient object looks at the table again."""
    upstream = Upstream("ecb", table("ecb", USD="1.1"))
    tables = RateTables([upstream.source])
    for _ in range(50):
        await tables.quote(spec(interval_s=0.0))
    assert upstream.calls == 1


async def test_an_old_table_is_fetched_anew() -> None:
    """Beyond both the interval and the provider's least interval."""
    upstream = Upstream("ecb", table("ecb", USD="1.1"), table("ecb", USD="1.2"), min_interval_s=0.0)
    tables = RateTables([upstream.source])
    await tables.quote(spec(interval_s=0.0))
    assert (await tables.quote(spec(interval_s=0.0))).quote.rate == "1.2"


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
    fetched = await RateTables([broken.source, well.source]).quote(spec())
    assert (fetched.quote.provider, fetched.problem) == ("ecb", None)


async def test_the_next_provider_answers_for_a_missing_currency() -> None:
    """A provider that does not quote a currency is no failure."""
    first, second = Upstream("ecb", table("ecb", USD="1.1")), Upstream("frankfurter", table("frankfurter", CHF="0.9"))
    assert (await RateTables([first.source, second.source]).quote(spec("CHF"))).quote.provider == "frankfurter"


async def test_a_pinned_provider_has_no_fallback() -> None:
    """Another provider's rate would not be what was asked for."""
    broken, well = Upstream("frankfurter", FetchError("HTTP 500")), Upstream("ecb", table("ecb", USD="1.1"))
    with pytest.raises(ProviderUnavailable, match="frankfurter: HTTP 500"):
        await RateTables([broken.source, well.source]).quote(spec(provider="frankfurter"))
    assert well.calls == 0


async def test_a_provider_that_the_stack_did_not_enable_is_told() -> None:
    """With those that are."""
    with pytest.raises(ProviderNotEnabled, match="not enabled in this cluster, only ecb"):
        await RateTables([Upstream("ecb", table("ecb")).source]).quote(spec(provider="frankfurter"))


async def test_a_currency_that_nobody_quotes_is_told_without_asking_again() -> None:
    """Asking hot would not make the currency appear."""
    upstream = Upstream("ecb", table("ecb", USD="1.1"))
    tables = RateTables([upstream.source])
    for _ in range(20):
        with pytest.raises(CurrencyNotSupported) as caught:
            await tables.quote(spec("XXX", interval_s=60.0))
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
            await tables.quote(spec())
    assert upstream.calls == 1
    assert getattr(caught.value, "retry_after_s", 0.0) >= least_s


async def test_failing_does_not_cost_more_calls_than_succeeding() -> None:
    """After a few quick tries the pause is the provider's least interval."""
    upstream = Upstream("ecb", FetchError("HTTP 500"))
    for _ in range(QUICK_TRIES + 1):
        upstream.source.next_call = 0.0
        with pytest.raises(FetchError):
            await upstream.source.latest(0.0)
    assert upstream.source.next_call - asyncio.get_running_loop().time() > 3599.0


async def test_the_last_table_serves_while_all_providers_fail() -> None:
    """With the problem beside it, so that the pass can be repeated soon."""
    upstream = Upstream("ecb", table("ecb", USD="1.1"), FetchError("HTTP 500"), min_interval_s=0.0)
    tables = RateTables([upstream.source])
    await tables.quote(spec(interval_s=0.0))
    fetched = await tables.quote(spec(interval_s=0.0))
    assert fetched.quote.rate == "1.1"
    assert isinstance(fetched.problem, ProviderUnavailable)


async def test_a_caller_that_gives_up_does_not_cancel_the_call_of_the_others() -> None:
    """The call goes on for those who still wait."""
    upstream = Upstream("ecb", table("ecb", USD="1.1"))
    upstream.gate.clear()
    tables = RateTables([upstream.source])
    first, second = (asyncio.create_task(tables.quote(spec())) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    upstream.gate.set()
    assert (await second).quote.rate == "1.1"
    assert upstream.calls == 1


async def test_every_call_is_observed() -> None:
    """Success with its table, failure without one."""
    heard: list[tuple[str, bool]] = []
    upstream = Upstream("ecb", FetchError("HTTP 500"), table("ecb", USD="1.1"), min_interval_s=0.0)
    upstream.source.observer = lambda name, _, found: heard.append((name, found is not None))
    with pytest.raises(FetchError):
        await upstream.source.latest(0.0)
    upstream.source.next_call = 0.0
    await upstream.source.latest(0.0)
    assert heard == [("ecb", False), ("ecb", True)]
