"""The whole operator on a cluster in memory, where hours pass in milliseconds: a real one takes too long for it."""

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.unit.fast_loop import clock, run_fast
from tests.unit.memory_cluster import MemoryCluster
from tests.unit.upstreams import Archive, Upstream

from exchangerates import controller, threads
from exchangerates.api import KIND
from exchangerates.budget import Budget
from exchangerates.controller import Controller
from exchangerates.day_tables import DayTables
from exchangerates.metrics import Gauges, Metrics
from exchangerates.observed import Observed
from exchangerates.rate_tables import RateTables
from exchangerates.rates import RateTable
from exchangerates.reconcile import Reconciler
from exchangerates.source import Source
from exchangerates.spec import Defaults


class World:
    """An operator at work on a cluster in memory.

    Args:
        start: The time of day at which it begins.
        upstreams: The chain of rate providers.
        cluster: Another world's, for a second operator on it; both are to be shown what happens there.
        rest_s: Seconds between two lists of everything, and between two signs of life of the dispatcher, for a story
            of days: ten minutes and one are most of what it would cost, and tell nothing new in it.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        start: dt.datetime,
        *upstreams: Upstream,
        cluster: MemoryCluster | None = None,
        rest_s: float = 0.0,
    ) -> None:
        monkeypatch.setattr(threads, "in_thread", _at_once)
        if rest_s:
            monkeypatch.setattr(controller, "IDLE_S", rest_s)
        self._start = start
        self._resync_s = rest_s or 600.0
        self.cluster = cluster or MemoryCluster()
        self.announced: list[tuple[str, str]] = []
        self.upstreams = upstreams
        self._work: asyncio.Task[None]
        self._begin()

    def _begin(self) -> None:
        """Make an operator that remembers nothing."""
        upstreams = self.upstreams
        self.metrics = Metrics(upstream.name for upstream in upstreams)
        budgets = {upstream.name: Budget(upstream.limit) if upstream.limit else None for upstream in upstreams}
        sources = [
            Source(
                upstream.name,
                upstream.fetch,
                upstream.least_interval_s,
                self.metrics.fetched,
                history=_history(upstream, self.metrics, budgets[upstream.name]),
                budget=budgets[upstream.name],
                announce=lambda *told: self.announced.append(told),
            )
            for upstream in upstreams
        ]
        observed = Observed()
        defaults = Defaults("EUR", tuple(upstream.name for upstream in upstreams), 3600.0, 168 * 3600.0)
        self.tables = RateTables(sources)
        self.reconciler = Reconciler(self.cluster, self.tables, observed, defaults)
        self.controller = Controller(
            self.cluster, self.reconciler, observed, (None,), self._resync_s, self.now, self.metrics
        )
        self.cluster.watches = self.show

    def scraped(self) -> str:
        """Give what Prometheus would read."""
        return self.metrics.exposition(Gauges(dict, lambda: 0, lambda: 0.0)).decode()

    def now(self) -> dt.datetime:
        """Give the time of day."""
        return clock(self._start)()

    def start(self) -> None:
        """Begin the operator's work."""
        self._work = asyncio.create_task(self.controller.run())

    async def stop(self) -> None:
        """End the operator."""
        self._work.cancel()
        await asyncio.wait({self._work})

    async def restart(self) -> None:
        """End the operator and start another."""
        await self.stop()
        self._begin()
        self.start()

    def show(self, kind: str, event: str, body: dict[str, Any]) -> None:
        """Show the operator's watches what has happened."""
        informer = self.controller.informer
        watch = informer.watch_exchange_rate if kind == "rate" else informer.watch_config_map
        if informer.is_news(KIND if kind == "rate" else "ConfigMap", event, body):
            watch(event, body)

    def run(self, story: Coroutine[Any, Any, None]) -> None:
        """Run the operator beside a story; the end of the story is its own."""

        async def both() -> None:
            self.start()
            try:
                await story
            finally:
                work, ended = self._work, self._work.done()
                work.cancel()
                await asyncio.wait({work})
                if ended:
                    work.result()

        run_fast(both())


async def _at_once(call: Callable[[], RateTable]) -> RateTable:
    upstream = getattr(call, "__self__", None)
    if isinstance(upstream, Upstream):
        upstream.calls += 1
        await asyncio.sleep(upstream.delay_s)
    return call()


def _history(upstream: Upstream, metrics: Metrics, budget: Budget | None) -> DayTables | None:
    if isinstance(upstream, Archive):
        return DayTables(
            upstream.name,
            upstream.fetch_days,
            metrics.fetched_day,
            budget,
            least_interval_s=upstream.least_interval_s,
            at_once=256 if upstream.whole else 1,
        )
    return None
