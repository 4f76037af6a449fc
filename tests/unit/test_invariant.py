"""The observer of the tests of faults: it knows a rate that was never quoted from one that was."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.faults.invariant import Invariant
from tests.faults.market import Market

from exchangerates.api import KIND
from localcluster.rateserver import RateServer


@pytest.fixture
def market(rates: RateServer) -> Market:
    """What was quoted since its first day."""
    return Market(rates)


def quoted(market: Market, currency: str) -> dict[str, object]:
    """Give a currency's part of a quote in euros, as it was really quoted."""
    rate = market.rates.table.rates[currency]
    return {
        "currency": currency,
        "base": "EUR",
        "provider": "ecb",
        "rate": rate,
        "date": market.today,
        "derived": False,
    }


def config_map(quote: dict[str, object], **changed: str) -> dict[str, Any]:
    """Give a ConfigMap that holds a quote and keys that say the same, but for what is changed."""
    data = {name: str(value) for name, value in quote.items()} | {"derived": str(quote["derived"]).lower()}
    metadata = {"name": "rate", "namespace": "default", "uid": "uid-1", "ownerReferences": [{"kind": KIND}]}
    return {"metadata": metadata, "data": {**data, "quote": json.dumps(quote), **changed}}


def violations(tmp_path: Path, market: Market, *versions: dict[str, Any]) -> list[str]:
    """Give what the observer says of one version after the other, without the data."""
    seeing = Invariant("http://nowhere", tmp_path, market)
    for version in versions:
        seeing._judge(version)  # noqa: SLF001 - what it does with all that the watch shows
    assert seeing.seen == len(versions)
    return [told.partition(": {")[0] for told in seeing.violations]


def test_what_was_quoted_is_no_violation(market: Market, tmp_path: Path) -> None:
    """Today's, then the next day's; a rate of two quotes, too."""
    first = config_map(quoted(market, "USD"))
    market.move()
    assert violations(tmp_path, market, first, config_map(quoted(market, "USD"))) == []
    crossed = {**quoted(market, "JPY"), "base": "USD", "derived": True}
    (price,) = [price for price in market.quoted("USD", "JPY") if price.date == market.today]
    assert violations(tmp_path, market, config_map({**crossed, "rate": price.rate})) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param({"rate": "9.9999"}, "9.9999 was never quoted for USD in EUR on", id="another rate"),
        pytest.param({"date": "2020-01-01"}, "was never quoted for USD in EUR on 2020-01-01", id="another day"),
        pytest.param({"currency": "GBP"}, "was never quoted for GBP in EUR on", id="another currency"),
        pytest.param({"base": "GBP"}, "was never quoted for USD in GBP on", id="another base"),
        pytest.param({"derived": True}, "USD is told to be derived, or not to be", id="said to be calculated"),
    ],
)
def test_what_was_never_quoted_is_a_violation(
    market: Market, tmp_path: Path, changed: dict[str, object], told: str
) -> None:
    """Of the pair and the day that the ConfigMap names; all else about it is right."""
    (violation,) = violations(tmp_path, market, config_map({**quoted(market, "USD"), **changed}))
    assert violation.startswith("default/rate: ")
    assert told in violation


def test_keys_that_say_something_else_than_the_quote_are_a_violation(market: Market, tmp_path: Path) -> None:
    """Each reader takes another of them."""
    (violation,) = violations(tmp_path, market, config_map(quoted(market, "USD"), rate="1"))
    assert violation == "default/rate: rate and the quote differ"


def test_a_day_that_goes_back_is_a_violation(market: Market, tmp_path: Path) -> None:
    """Though both were quoted."""
    first, day = config_map(quoted(market, "USD")), market.today
    market.move()
    (violation,) = violations(tmp_path, market, config_map(quoted(market, "USD")), first)
    assert violation == f"default/rate: its day went back from {market.today} to {day}"
