"""What every provider's parser checks alike before a table is trusted."""

import datetime as dt
import re
from collections.abc import Iterable
from typing import Final

from exchangerates.errors import FetchError
from exchangerates.rates import Price, RateTable, parse_date, parse_rate
from exchangerates.spec import CURRENCY_PATTERN

BASE: Final = "EUR"
"""The base that most providers are asked for, the ECB's; other pairs are crossed from it."""


def checked_table(
    provider: str, rows: Iterable[tuple[object, object, object]], today: dt.date, base: str = BASE
) -> RateTable:
    """Make a table of (currency, rate, date) rows.

    A code that is not three capital letters (`XDRUSD`, `USDC`) is left out with its quote: nobody can ask for it.

    Raises:
        FetchError: There is no row, or one that cannot be right. One bad row spoils the table: what else is wrong with
            it cannot be known.
    """
    prices: dict[str, Price] = {}
    for currency, rate, date in rows:
        if not isinstance(currency, str):
            raise FetchError("a quote has no currency code")
        if not re.fullmatch(CURRENCY_PATTERN, currency):
            continue
        try:
            price = Price(parse_rate(rate), parse_date(date))
        except ValueError as error:
            raise FetchError(f"the quote for {currency} is not usable: {error}") from None
        if currency == base:
            if price.rate != 1:
                raise FetchError(f"{base} costs {price.rate:f} {base}: the quotes are against another base")
            continue
        if price.date > today + dt.timedelta(days=1):
            raise FetchError(f"the quote for {currency} is dated in the future")
        if currency in prices and prices[currency] != price:
            raise FetchError(f"two different quotes for {currency}")
        prices[currency] = price
    if not prices:
        raise FetchError("the answer holds no quotes")
    return RateTable(provider, base, prices)
