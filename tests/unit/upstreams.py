"""Rate providers in memory, which quote or fail as they are told to."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from exchangerates.errors import FetchError
from exchangerates.rates import Price, RateTable
from localcluster.rateserver import table_of


class Upstream:
    """A rate provider that quotes what it is told to, or fails, and counts."""

    def __init__(self, name: str, date: dt.date, **rates: str) -> None:
        self.name, self.date, self.rates = name, date, rates
        self.calls = 0
        self.delay_s = 0.0
        self.error: Exception | None = None
        self.least_interval_s = 20.0
        self.limit: int | None = None

    def fetch(self) -> RateTable:
        """Answer one call."""
        if self.error is not None:
            raise self.error
        return RateTable(self.name, "EUR", {code: Price(Decimal(rate), self.date) for code, rate in self.rates.items()})


class Archive(Upstream):
    """A rate provider that keeps its history: the ECB's; what it quotes today is what it is told to.

    Attributes:
        days: The days that it was called for.
        whole: Whether one answer holds all the days that it is told.
        lost: Days that it fails for.
        late: Days whose tables are not there yet.
        newest_error: What it fails with where today's table is asked for.
    """

    def __init__(self, name: str, date: dt.date, **rates: str) -> None:
        super().__init__(name, date, **rates)
        self.days: list[dt.date] = []
        self.whole = False
        self.newest_error: FetchError | None = None
        self.lost: dict[dt.date, FetchError] = {}
        self.late: set[dt.date] = set()

    def fetch(self) -> RateTable:
        """Answer one call."""
        if self.newest_error is not None:
            raise self.newest_error
        return super().fetch()

    def fetch_days(self, days: Sequence[dt.date]) -> Mapping[dt.date, RateTable]:
        """Answer one call for days."""
        self.days.append(days[0])
        if self.error is not None:
            raise self.error
        if days[0] in self.lost:
            raise self.lost[days[0]]
        return {day: self._table(day) for day in (days if self.whole else days[:1]) if day not in self.lost}

    def _table(self, day: dt.date) -> RateTable:
        table = table_of(day)
        while table.date in self.late:
            table = table_of(table.date - dt.timedelta(days=1))
        return RateTable(
            self.name, "EUR", {code: Price(Decimal(rate), table.date) for code, rate in table.rates.items()}
        )


class EcbUpstream(Upstream):
    """A rate provider that quotes what the ECB really published, each working day from 16:00 UTC on."""

    def __init__(self, name: str, now: Callable[[], dt.datetime]) -> None:
        super().__init__(name, dt.date.min)
        self._now = now

    def fetch(self) -> RateTable:
        """Answer one call."""
        table = table_of((self._now() - dt.timedelta(hours=16)).date())
        self.date, self.rates = table.date, dict(table.rates)
        return super().fetch()


def failing(upstream: Upstream, text: str = "HTTP 500") -> Upstream:
    """Let a provider fail from now on."""
    upstream.error = FetchError(text)
    return upstream
