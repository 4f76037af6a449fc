"""Whoever asks when, and whatever the provider answers: its calls keep their distance."""

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.fast_loop import run_fast

from exchangerates import threads
from exchangerates.budget import DAY_S, Budget
from exchangerates.day_tables import PAUSE_S, DayTables
from exchangerates.errors import AccessRefused, FetchedBefore, FetchError, FetchUnderWay
from exchangerates.rates import Price, RateTable
from exchangerates.source import Source

DAY = dt.date(2026, 10, 30)
LEAST_S = 100.0
QUICK_S = 2.0 * 0.75
"""The shortest pause after a failure."""

answers = st.sampled_from(
    [None, None, FetchError("HTTP 500"), AccessRefused("key"), "retry", RuntimeError("unforeseen")]
)
asks = st.one_of(
    st.tuples(st.just("newest"), st.booleans(), st.sampled_from([0.0, 60.0, 3600.0])),
    st.tuples(st.just("day"), st.integers(0, 5)),
)
steps = st.tuples(answers, asks, st.sampled_from([0.5, 3.0, 50.0, 120.0, 2000.0]))
"""What the provider answers next, who asks what, and the seconds until the next step."""


class Recorder:
    """A rate provider that remembers when it was called for what, and what it said."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.calls: list[tuple[float, str, Any]] = []

    def _call(self, kind: str) -> RateTable:
        answer = FetchError("HTTP 429", retry_after_s=777.0) if self.answer == "retry" else self.answer
        self.calls.append((asyncio.get_running_loop().time(), kind, answer))
        if answer is not None:
            raise answer
        return RateTable("ecb", "EUR", {"USD": Price(Decimal("1.1"), DAY)})

    def fetch(self) -> RateTable:
        """Answer one call."""
        return self._call("newest")

    def fetch_days(self, days: Sequence[dt.date]) -> Mapping[dt.date, RateTable]:
        """Answer one call for days."""
        return {days[0]: self._call("day")}


async def at_once(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the call gives
    """Stand in for a thread."""
    await asyncio.sleep(0.0)
    return call()


async def ask(source: Source, kind: str, *how: Any) -> None:  # noqa: ANN401 - as it was drawn
    """Ask once, as a pass does."""
    try:
        if kind == "newest":
            source.latest(how[1], urgent=how[0])
        elif source.history is not None:
            source.history.table(DAY + dt.timedelta(days=how[0]))
    except FetchUnderWay as waiting:
        await asyncio.wait({waiting.call})
    except (FetchError, FetchedBefore):
        pass


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(steps, min_size=3, max_size=40), limit=st.one_of(st.none(), st.integers(1, 9)))
def test_calls_keep_their_distance(monkeypatch: pytest.MonkeyPatch, story: list[Any], limit: int | None) -> None:
    """The least interval after a success or a refusal, a Retry-After of either kind of call, and the day's budget."""
    monkeypatch.setattr(threads, "in_thread", at_once)
    provider, budget = Recorder(), Budget(limit) if limit else None

    async def told() -> None:
        history = DayTables("ecb", provider.fetch_days, lambda *_: None, budget, LEAST_S)
        source = Source("ecb", provider.fetch, LEAST_S, lambda *_: None, history, budget)
        for answer, (kind, *how), pause_s in story:
            provider.answer = answer
            await ask(source, kind, *how)
            await asyncio.sleep(pause_s)

    run_fast(told())
    for (before, _, said), (at, _, _) in pairwise(provider.calls):
        if isinstance(said, FetchError) and said.retry_after_s:
            assert at - before >= said.retry_after_s
    for kind, short_s in (("newest", QUICK_S), ("day", PAUSE_S)):
        for (before, _, said), (at, _, _) in pairwise(call for call in provider.calls if call[1] == kind):
            long = isinstance(said, AccessRefused) or (said is None and kind == "newest")
            assert at - before >= (LEAST_S if long else short_s)
    if limit:
        times = [at for at, _, _ in provider.calls]
        assert all(sum(1 for at in times if first <= at < first + DAY_S) <= limit for first in times)
