"""What the rate providers' stand-in really quoted: the ECB's tables, one published day after the other."""

import datetime as dt
from decimal import Context, Decimal
from typing import Final, NamedTuple

from localcluster.rateserver import Fault, RateServer, Table, days, table_of

FIRST_DAY: Final = dt.date(2026, 6, 1)
LEGAL: Final = (Fault.TINY, Fault.DROPPED, Fault.MIXED_DATES)
"""Faults whose answers are quotes all the same."""
OVER: Final = ("2024-01-15", "2024-06-28")
"""Days that are over, for objects that want the rate of one day."""
_CROSS: Final = Context(prec=10)
"""What the documentation promises of a rate that no bank prints: 10 significant digits."""


class Price(NamedTuple):
    """A rate as printed, and the day that it was quoted for."""

    rate: str
    date: str


class Market:
    """Moves the stand-in from day to day, and knows all that it has said.

    Every provider of the stand-in that is used here quotes against the euro, with the same digits.

    Args:
        rates: The stand-in.
    """

    def __init__(self, rates: RateServer) -> None:
        self.rates = rates
        self._days = sorted(day for day in days() if day >= FIRST_DAY)
        self._answers = [_prices(table_of(dt.date.fromisoformat(day))) for day in OVER]
        self._known: dict[tuple[str, str], tuple[set[Price], int]] = {}
        """What was quoted for a pair, by so many answers."""
        self.move()

    @property
    def today(self) -> str:
        """The day whose table is quoted now."""
        return self.rates.table.date.isoformat()

    def days_left(self) -> int:
        """Count the days to which it can still move."""
        return len(self._days)

    def move(self) -> None:
        """Let the next day's table be quoted."""
        self.rates.replay(self._days.pop(0))
        self._said(_prices(self.rates.table))

    def distort(self, fault: Fault, *providers: str, times: int | None = None) -> None:
        """Fail the providers' next calls."""
        if fault is Fault.TINY:
            self._said({**_prices(self.rates.table), "USD": Price("0.0000001", self.today)})
        if fault is Fault.MIXED_DATES:
            before = (self.rates.table.date - dt.timedelta(days=1)).isoformat()
            prices = _prices(self.rates.table).items()
            self._said(
                {code: price._replace(date=before) if n % 2 else price for n, (code, price) in enumerate(prices)}
            )
        for provider in providers:
            self.rates.fail(provider, fault, times=times)

    def quoted(self, base: str, currency: str) -> set[Price]:
        """Give every rate of a pair that was ever quoted, or that follows from two quotes of one answer."""
        known, of = self._known.get((base, currency), (set(), 0))
        answers = tuple(self._answers[of:])
        known |= {price for answer in answers if (price := _rate(answer, base, currency))}
        self._known[base, currency] = known, of + len(answers)
        return known

    def _said(self, prices: dict[str, Price]) -> None:
        self._answers.append(prices)


def _prices(table: Table) -> dict[str, Price]:
    return {code: Price(rate, table.date.isoformat()) for code, rate in table.rates.items()}


def _rate(answer: dict[str, Price], base: str, currency: str) -> Price | None:
    """Give a pair's rate by one answer, or None where it does not quote it."""
    if base == "EUR" and currency in answer:
        return answer[currency]
    euro = Price("1", max(price.date for price in answer.values()))
    known = {**answer, "EUR": euro}
    if base not in known or currency not in known:
        return None
    above, below = known[currency], known[base]
    return Price(f"{_CROSS.divide(Decimal(above.rate), Decimal(below.rate)):f}", min(above.date, below.date))
