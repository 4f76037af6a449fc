"""Quotes and cross rates: exact decimal arithmetic, from text to text.

A rate is finite and positive or it is an error; a float never appears. This module knows no provider and no clock.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Final

TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
"""RFC 3339 to the second, UTC: how times are read that `rfc3339` has told."""

SIGNIFICANT_DIGITS: Final = 10
"""Of a derived rate. One correctly rounded division: nothing is rounded twice."""

MAX_EXPONENT: Final = 30
"""A rate beyond 1e±30 is a provider's mistake, and its plain notation would be a wall of zeros."""

_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")
"""What a bank prints. Python reads more than that as a number: `1_1172` is eleven thousand to it."""
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CROSS: Final = Context(prec=SIGNIFICANT_DIGITS, rounding=ROUND_HALF_EVEN)
_ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class Quote:
    """One rate as it is published.

    Attributes:
        base: The base currency.
        currency: The quote currency.
        rate: `currency` units per one `base`, plain decimal notation.
        date: The day that the rate was quoted for.
        provider: The rate provider that quoted it.
        derived: Whether the rate was computed from two quotes and not printed by the provider.
        since: Since when this quote is published, RFC 3339; None where that is not known. No part of what was quoted.
    """

    base: str
    currency: str
    rate: str
    date: dt.date
    provider: str
    derived: bool
    since: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Price:
    """What a provider quotes for one currency.

    Attributes:
        rate: Units of the currency per one unit of the table's base.
        date: The day that the rate was quoted for.
    """

    rate: Decimal
    date: dt.date


@dataclass(frozen=True, slots=True)
class RateTable:
    """All that one provider quotes against one base currency.

    Attributes:
        provider: The rate provider's name.
        base: The table's base currency.
        prices: By currency code; the base itself is not in it.
    """

    provider: str
    base: str
    prices: Mapping[str, Price] = field(repr=False)

    def quote(self, base: str, currency: str) -> Quote | None:
        """Give the rate of a pair, or None where the table does not have both currencies, or they make an absurd one.

        A direct quote keeps the provider's digits. A cross is `price[currency] / price[base]` with 10 significant
        digits, half-even, and carries the older of the two dates. A currency in itself costs 1.
        """
        if base == self.base and currency in self.prices:
            price = self.prices[currency]
            return Quote(base, currency, f"{price.rate:f}", price.date, self.provider, derived=False)
        numerator, denominator = self._price(currency), self._price(base)
        if numerator is None or denominator is None:
            return None
        date = min(numerator.date, denominator.date)
        if base == currency:
            return Quote(base, currency, "1", date, self.provider, derived=False)
        rate = _CROSS.divide(numerator.rate, denominator.rate)
        if abs(rate.adjusted()) > MAX_EXPONENT:
            return None
        return Quote(base, currency, f"{rate:f}", date, self.provider, derived=True)

    def quotes(self, base: str, currencies: Sequence[str]) -> tuple[Quote, ...] | None:
        """Give the rates of several currencies, or None where the table does not have them all."""
        found = tuple(filter(None, (self.quote(base, currency) for currency in currencies)))
        return found if len(found) == len(currencies) else None

    def missing(self, base: str, currencies: Sequence[str]) -> tuple[str, ...]:
        """Give the codes for which there are no rates: those that the table does not have, the base among them."""
        if self._price(base) is None:
            return tuple(code for code in (base, *currencies) if self._price(code) is None)
        return tuple(currency for currency in currencies if self.quote(base, currency) is None)

    def _price(self, currency: str) -> Price | None:
        if currency == self.base and self.prices:
            return Price(_ONE, max(price.date for price in self.prices.values()))
        return self.prices.get(currency)


def rfc3339(time: dt.datetime) -> str:
    """Tell a time, UTC, to the second."""
    return f"{time.isoformat()[:19]}Z"  # strftime takes four times as long, and each pass tells three


def parse_rate(value: object) -> Decimal:
    """Give a provider's number as a Decimal with the digits that it printed.

    Args:
        value: A Decimal (from `json.loads(parse_float=Decimal, parse_int=Decimal)`) or text.

    Raises:
        ValueError: It is no number, not finite, not positive, or of an absurd size.
    """
    if not isinstance(value, Decimal | str):
        raise ValueError(f"{type(value).__name__} is no rate")  # noqa: TRY004 - one kind of error for a caller to wrap
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("not a number")
    try:
        rate = Decimal(value)
    except InvalidOperation:
        raise ValueError("not a number") from None
    if (
        not rate.is_finite()
        or rate <= 0
        or abs(rate.adjusted()) > MAX_EXPONENT
        or len(rate.as_tuple().digits) > MAX_EXPONENT + 1
    ):
        raise ValueError("not a finite positive number of a sane size")
    return rate


def parse_date(value: object) -> dt.date:
    """Give the date of a quote.

    Raises:
        ValueError: It is not text of the form YYYY-MM-DD.
    """
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("not a date of the form YYYY-MM-DD")
    return dt.date.fromisoformat(value)
