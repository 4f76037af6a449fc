"""What a newly fetched quote makes of what is published."""

import datetime as dt
from dataclasses import replace

from exchangerates.publication import Publication, decide
from exchangerates.rates import Quote
from exchangerates.spec import ExchangeRateSpec, Target

DAY = dt.date(2026, 10, 30)
NEXT = dt.date(2026, 11, 2)
BEFORE, NOW = "2026-10-30T16:00:00Z", "2026-11-02T16:00:00Z"
TARGET = Target("money", "rate", labels={}, annotations={})
SPEC = ExchangeRateSpec(("USD",), "EUR", None, 3600.0, 604800.0, suspend=False, target=TARGET)


def quote(rate: str, date: dt.date = DAY, provider: str = "ecb", currency: str = "USD") -> Quote:
    """Give a quote as a provider gives it."""
    return Quote("EUR", currency, rate, date, provider, derived=False)


def published(*quotes: Quote) -> Publication:
    """Give what is published since the day before."""
    return Publication(quotes).published_since(BEFORE)


def test_a_first_quote_is_published_now() -> None:
    """There is nothing to compare it with."""
    assert decide(SPEC, None, (quote("1.1"),), NOW) == Publication((replace(quote("1.1"), since=NOW),))


def test_a_newer_or_corrected_quote_takes_the_place_of_the_published() -> None:
    """A later day, or another number of the same day."""
    for new in (quote("1.1", NEXT), quote("1.2")):
        decided = decide(SPEC, published(quote("1.1")), (new,), NOW)
        assert decided.quotes == (new,)
        assert decided.since == NOW


def test_an_older_quote_is_never_published() -> None:
    """Whoever gives it."""
    now = published(quote("1.1", NEXT))
    assert decide(SPEC, now, (quote("1.2", DAY, "frankfurter"),), NOW) is now


def test_the_same_rate_under_another_name_changes_nothing() -> None:
    """A fallback that says the same is no reason to write."""
    now = published(quote("1.1"))
    assert decide(SPEC, now, (quote("1.1", provider="frankfurter"),), NOW) is now


def test_quotes_of_one_object_are_published_together() -> None:
    """One that is older keeps all; one that did not change keeps its time."""
    both = replace(SPEC, currencies=("USD", "GBP"))
    now = published(quote("1.1", NEXT), quote("0.8", currency="GBP"))
    assert decide(both, now, (quote("1.2", DAY), quote("0.9", NEXT, currency="GBP")), NOW) is now
    decided = decide(both, now, (quote("1.1", NEXT), quote("0.9", NEXT, currency="GBP")), NOW)
    assert [new.since for new in decided.quotes] == [BEFORE, NOW]
    assert (decided.since, decided.date) == (NOW, NEXT)
