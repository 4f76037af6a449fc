"""One upstream call serves all, whoever asks and however it fails."""

import asyncio
from dataclasses import replace

import pytest
from tests.unit.chain import Clock, Upstream, quote, spec, table

from exchangerates.errors import (
    AccessRefused,
    CurrencyNotSupported,
    FetchError,
    ProviderNotEnabled,
    ProviderUnavailable,
)
from exchangerates.rate_tables import RateTables


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
