# ruff: noqa: D102 - the cluster's calls are those of `exchangerates.cluster.Cluster`
"""A small cluster in memory, and hours that pass in milliseconds: for what would take too long against a real one."""

import asyncio
import datetime as dt
import json
import selectors
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from itertools import count
from typing import Any

import pytest

from exchangerates import status as statuses
from exchangerates import threads
from exchangerates.api import KIND, Condition, Reason
from exchangerates.budget import Budget
from exchangerates.controller import Controller
from exchangerates.day_tables import DayTables
from exchangerates.errors import ApiError, FetchError
from exchangerates.metrics import Gauges, Metrics
from exchangerates.observed import ConfigMap, ExchangeRate, ObjectKey, Observed
from exchangerates.rate_tables import RateTables
from exchangerates.rates import Price, RateTable
from exchangerates.reconcile import Reconciler
from exchangerates.source import Source
from exchangerates.spec import Defaults
from localcluster.rateserver import table_of


class _Selector(selectors.DefaultSelector):
    """Puts the time forward instead of waiting."""

    ahead_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0.0)
        if not found and timeout:
            self.ahead_s += timeout
        return found


class FastLoop(asyncio.SelectorEventLoop):
    """An event loop in which nobody waits: when all sleep, it is the time at which the first wakes."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Give the seconds that have passed."""
        return self._clock.ahead_s


def run_fast(work: Coroutine[Any, Any, None]) -> None:
    """Run something in a loop in which nobody waits."""
    with asyncio.Runner(loop_factory=FastLoop) as runner:
        runner.run(work)


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
        newest_error: What it fails with where today's table is asked for.
    """

    def __init__(self, name: str, date: dt.date, **rates: str) -> None:
        super().__init__(name, date, **rates)
        self.days: list[dt.date] = []
        self.whole = False
        self.newest_error: FetchError | None = None
        self.lost: dict[dt.date, FetchError] = {}

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


class MemoryCluster:
    """Both kinds, with uids, resource versions and preconditions; what is written is shown to the watches at once."""

    def __init__(self) -> None:
        self.rates: dict[ObjectKey, dict[str, Any]] = {}
        self.maps: dict[ObjectKey, dict[str, Any]] = {}
        self.writes: Counter[str] = Counter()
        self.watches: Callable[[str, str, dict[str, Any]], None] = lambda *_: None
        self._versions = count(1)

    def add(self, name: str, /, uid: object = None, **spec: object) -> None:
        """Create an ExchangeRate in the namespace `default`."""
        metadata = {"namespace": "default", "name": name, "uid": uid or f"uid-{name}", "generation": 1}
        self._store("rate", self.rates, {"metadata": metadata, "spec": _spec({"currency": "USD", **spec})})

    def edit(self, name: str, **spec: object) -> None:
        """Change fields of an object's spec as its user."""
        held = self.rates[ObjectKey("default", name)]
        metadata = {**held["metadata"], "generation": held["metadata"]["generation"] + 1}
        self._store("rate", self.rates, {**held, "metadata": metadata, "spec": {**held["spec"], **spec}})

    def replace_status(self, name: str, status: dict[str, Any]) -> None:
        """Write an object's status as somebody else."""
        self._store("rate", self.rates, {**self.rates[ObjectKey("default", name)], "status": status})

    def forge_status(self, name: str, **entry: object) -> None:
        """Write fields of the first rate in an object's status as somebody else."""
        status = self.status(name)
        self.replace_status(name, {**status, "rates": [{**status["rates"][0], **entry}]})

    def edit_map(self, name: str, **data: str) -> None:
        """Change keys of a ConfigMap as somebody else."""
        held = self.maps[ObjectKey("default", name)]
        self._store("map", self.maps, {**held, "data": {**held["data"], **data}})

    def annotate(self, name: str, key: str, value: str) -> None:
        """Set an annotation of an ExchangeRate."""
        held = self.rates[ObjectKey("default", name)]
        annotations = {**held["metadata"].get("annotations", {}), key: value}
        self._store("rate", self.rates, {**held, "metadata": {**held["metadata"], "annotations": annotations}})

    def tamper(self, name: str, **data: str) -> None:
        """Change a ConfigMap's data as somebody else; nothing where there is none."""
        if held := self.maps.get(ObjectKey("default", name)):
            self._store("map", self.maps, {**held, "data": {**held["data"], **data}})

    def lose(self, name: str) -> None:
        """Delete a ConfigMap as somebody else; nothing where there is none."""
        if held := self.maps.pop(ObjectKey("default", name), None):
            asyncio.get_running_loop().call_soon(self.watches, "map", "DELETED", held)

    def data(self, name: str) -> dict[str, str]:
        """Give a ConfigMap's data; empty where there is none."""
        held: dict[str, str] = self.maps.get(ObjectKey("default", name), {}).get("data", {})
        return held

    def status(self, name: str) -> dict[str, Any]:
        """Give an ExchangeRate's status; empty where there is none."""
        held: dict[str, Any] = self.rates[ObjectKey("default", name)].get("status", {})
        return held

    def ready(self, name: str) -> str:
        """Give the reason of an object's Ready condition, empty where there is none."""
        return str(self._condition(name, Condition.READY).get("reason", ""))

    def message(self, name: str) -> str:
        """Give the message of an object's Ready condition, empty where there is none."""
        return str(self._condition(name, Condition.READY).get("message", ""))

    def stale(self, name: str) -> str:
        """Give the status of an object's Stale condition, empty where there is none."""
        return str(self._condition(name, Condition.STALE).get("status", ""))

    def _condition(self, name: str, kind: Condition) -> Mapping[str, Any]:
        return statuses.condition(self.status(name), kind)

    def _store(self, kind: str, kept: dict[ObjectKey, dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
        body = {**body, "metadata": {**body["metadata"], "resourceVersion": str(next(self._versions))}}
        body = json.loads(json.dumps(body))  # as it comes over the wire
        kept[ObjectKey(body["metadata"]["namespace"], body["metadata"]["name"])] = body
        asyncio.get_running_loop().call_soon(self.watches, kind, "MODIFIED", body)
        return body

    async def list_exchange_rates(self, _: str | None) -> AsyncIterator[ExchangeRate]:
        for body in tuple(self.rates.values()):
            yield ExchangeRate.from_body(body)

    async def list_config_maps(self, _: str | None) -> AsyncIterator[ConfigMap]:
        for body in tuple(self.maps.values()):
            yield ConfigMap.from_body(body)

    async def read_exchange_rate(self, key: ObjectKey) -> ExchangeRate | None:
        return ExchangeRate.from_body(self.rates[key]) if key in self.rates else None

    async def read_config_map(self, key: ObjectKey) -> ConfigMap | None:
        return ConfigMap.from_body(self.maps[key]) if key in self.maps else None

    async def create_config_map(self, body: Mapping[str, Any]) -> ConfigMap:
        key = ObjectKey(body["metadata"]["namespace"], body["metadata"]["name"])
        self.writes["create"] += 1
        if key in self.maps:
            raise ApiError(HTTPStatus.CONFLICT, {})
        made = {**body, "metadata": {**body["metadata"], "uid": f"uid-{key}"}}
        return ConfigMap.from_body(self._store("map", self.maps, made))

    async def patch_config_map(self, key: ObjectKey, patch: Mapping[str, Any]) -> ConfigMap:
        self.writes["patch"] += 1
        held = self.maps.get(key)
        if held is None:
            raise ApiError(HTTPStatus.NOT_FOUND, {})
        if any(patch["metadata"].get(name) != held["metadata"][name] for name in ("uid", "resourceVersion")):
            raise ApiError(HTTPStatus.CONFLICT, {})
        data = {**held["data"], **patch.get("data", {})}
        kept = {name: value for name, value in data.items() if value is not None}
        return ConfigMap.from_body(self._store("map", self.maps, {**held, "data": kept}))

    async def delete_config_map(self, seen: ConfigMap) -> None:
        self.writes["delete"] += 1
        self.maps.pop(seen.key, None)

    async def patch_status(self, owner: ExchangeRate, patch: Mapping[str, Any]) -> ExchangeRate:
        held = self.rates[owner.key]
        if str(owner.resource_version) != held["metadata"]["resourceVersion"]:
            raise ApiError(HTTPStatus.CONFLICT, {})
        self.writes["status"] += 1
        status = {**held.get("status", {}), **patch}
        kept = {name: value for name, value in status.items() if value is not None}
        return ExchangeRate.from_body(self._store("rate", self.rates, {**held, "status": kept}))

    async def create_event(
        self, owner: ExchangeRate, *, warning: bool, reason: Reason, message: str, time: str
    ) -> None:
        assert message
        assert time
        self.writes[f"event {'Warning' if warning else 'Normal'} {reason} {owner.key.name}"] += 1


class World:
    """An operator at work on a cluster in memory.

    Args:
        start: The time of day at which it begins.
        upstreams: The chain of rate providers.
        cluster: Another world's, for a second operator on it; both are to be shown what happens there.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        start: dt.datetime,
        *upstreams: Upstream,
        cluster: MemoryCluster | None = None,
    ) -> None:
        monkeypatch.setattr(threads, "in_thread", _at_once)
        self._start = start
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
        self.controller = Controller(self.cluster, self.reconciler, observed, (None,), 600.0, self.now, self.metrics)
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
            upstream.name, upstream.fetch_days, metrics.fetched_day, budget, least_interval_s=upstream.least_interval_s
        )
    return None


def _spec(fields: dict[str, object]) -> dict[str, object]:
    """Leave out the fields that are None."""
    return {name: value for name, value in fields.items() if value is not None}


def clock(start: dt.datetime) -> Callable[[], dt.datetime]:
    """Give a clock that shows this time when the loop begins."""
    return lambda: start + dt.timedelta(seconds=asyncio.get_running_loop().time())


def failing(upstream: Upstream, text: str = "HTTP 500") -> Upstream:
    """Let a provider fail from now on."""
    upstream.error = FetchError(text)
    return upstream
