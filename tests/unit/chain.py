"""A chain of rate providers that answer what they are told to, and who asks it, without an operator."""

import asyncio
import datetime as dt
import threading
from decimal import Decimal

import pytest

from exchangerates.errors import FetchUnderWay
from exchangerates.rate_tables import Fetched, RateTables
from exchangerates.rates import Price, RateTable
from exchangerates.source import Source
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
