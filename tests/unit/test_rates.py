"""Quotes and cross rates are exact, and nothing that is no rate passes for one."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchangerates.rates import Price, RateTable, parse_date, parse_rate

DAY = dt.date(2024, 6, 28)
BEFORE = dt.date(2024, 6, 27)
TABLE = RateTable(
    "ecb",
    "EUR",
    {
        "USD": Price(Decimal("1.0705"), DAY),
        "KRW": Price(Decimal("1474.86"), DAY),
        "JPY": Price(Decimal("171.940"), BEFORE),
    },
)


def test_a_direct_quote_keeps_the_providers_digits() -> None:
    """What the provider printed is published, with its trailing zeros."""
    quote = TABLE.quote("EUR", "JPY")
    assert quote is not None
    assert (quote.rate, quote.date, quote.derived, quote.provider) == ("171.940", BEFORE, False, "ecb")


def test_a_cross_has_ten_significant_digits_and_the_older_date() -> None:
    """The ECB's table of 2024-06-28 gives this rate for one won in dollars."""
    quote = TABLE.quote("KRW", "USD")
    assert quote is not None
    assert (quote.rate, quote.date, quote.derived) == ("0.0007258316044", DAY, True)
    older = TABLE.quote("USD", "JPY")
    assert older is not None
    assert older.date == BEFORE


def test_the_tables_base_is_crossed_too() -> None:
    """One dollar in euros is derived from the euro's price in dollars."""
    quote = TABLE.quote("USD", "EUR")
    assert quote is not None
    assert (quote.rate, quote.derived) == ("0.9341429239", True)


@pytest.mark.parametrize("currency", ["EUR", "USD"])
def test_a_currency_in_itself_is_one(currency: str) -> None:
    """The base equals the currency."""
    quote = TABLE.quote(currency, currency)
    assert quote is not None
    assert (quote.rate, quote.derived) == ("1", False)


@pytest.mark.parametrize(("base", "currency"), [("EUR", "XXX"), ("XXX", "EUR"), ("XXX", "XXX"), ("USD", "XXX")])
def test_a_missing_currency_gives_no_quote(base: str, currency: str) -> None:
    """Never 1 and never 0 as a stand-in."""
    assert TABLE.quote(base, currency) is None


@pytest.mark.parametrize(
    "value", ["0", "-1", "NaN", "Infinity", "", "abc", "1_1172", " 1.1", "1e31", "1e-31", "1" * 40, None, 1.5, True, 2]
)
def test_what_is_no_rate_is_refused(value: object) -> None:
    """Nor is a float ever taken."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_rate(value)


def test_a_small_rate_has_plain_notation() -> None:
    """An exponent of the provider does not reach a ConfigMap."""
    table = RateTable("ecb", "EUR", {"BTC": Price(parse_rate("1e-7"), DAY)})
    quote = table.quote("EUR", "BTC")
    assert quote is not None
    assert quote.rate == "0.0000001"


@pytest.mark.parametrize(
    "value", ["2024-6-28", "20240628", "2024-02-30", "2024-W26-5", "2024-06-28T00:00:00Z", None, 5]
)
def test_what_is_no_date_is_refused(value: object) -> None:
    """Only YYYY-MM-DD of a day that exists."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_date(value)


_prices = st.decimals(
    min_value=Decimal("1e-12"), max_value=Decimal("1e12"), allow_nan=False, allow_infinity=False
).filter(lambda price: price > 0 and len(price.as_tuple().digits) <= 30)


@given(one=_prices, other=_prices)
def test_every_cross_is_plain_positive_and_within_half_a_digit(one: Decimal, other: Decimal) -> None:
    """The published text is the exact quotient to ten digits."""
    table = RateTable("ecb", "EUR", {"AAA": Price(one, DAY), "BBB": Price(other, DAY)})
    quote = table.quote("AAA", "BBB")
    assert quote is not None
    assert "E" not in quote.rate.upper()
    published = Decimal(quote.rate)
    assert published > 0
    exact = other / one
    assert abs(published - exact) <= abs(exact) * Decimal("5.0001e-10")
