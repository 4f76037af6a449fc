"""What an on-call person wants to know, as Prometheus metrics. Series go with what they describe."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import generate_latest

from exchangerates.api import PLURAL, READY_REASONS, Reason
from exchangerates.rates import RateTable

_SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is read off the running operator at each scrape.

    Attributes:
        objects: How many ExchangeRates there are by the reason of their last pass, None for those before their first.
        backlog: How many wait to be served at once.
        lag_s: How long the one has waited that waits longest, in seconds.
        budgets: Calls used and left in the last 24 hours, and whether that makes somebody wait, by rate provider.
    """

    objects: Callable[[], Mapping[Reason | None, int]]
    backlog: Callable[[], int]
    lag_s: Callable[[], float]
    budgets: Callable[[], Mapping[str, tuple[int, int, bool]]] = dict


class _Passes:
    """What passes over objects took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ended = Counter(
            "exchangerates_reconciles",
            "Passes over objects by the reason that they ended with, or Gone or ApiError",
            ["reason"],
            registry=registry,
        )
        self.seconds = Histogram(
            "exchangerates_reconcile_duration_seconds",
            "How long one pass over an object took",
            buckets=_SECONDS,
            registry=registry,
        )


class _Calls:
    """What calls to rate providers took and brought."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ended = Counter(
            "exchangerates_provider_fetches",
            "Calls to rate providers; the outcome is success or failure",
            ["provider", "outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "exchangerates_provider_fetch_duration_seconds",
            "How long one call to a rate provider took",
            ["provider"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.quote_date = Gauge(
            "exchangerates_provider_quote_timestamp_seconds",
            "Start of the newest quoted day, UTC; time() less this is the quote's age",
            ["provider"],
            registry=registry,
        )
        self.per_day = Gauge(
            "exchangerates_provider_calls_per_day",
            "Calls of the last 24 hours, used and left, of rate providers with maxCallsPerDay",
            ["provider", "state"],
            registry=registry,
        )
        self.lengthened = Gauge(
            "exchangerates_provider_interval_lengthened",
            "1 while objects want calls sooner than maxCallsPerDay allows",
            ["provider"],
            registry=registry,
        )


class _Objects:
    """How the objects are, and how the operator keeps up with them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.by_reason = Gauge(
            "exchangerates_objects",
            "ExchangeRates by the status and the reason of their Ready condition; Pending before the first pass",
            ["ready", "reason"],
            registry=registry,
        )
        self.backlog = Gauge("exchangerates_queue_length", "Objects that wait to be served at once", registry=registry)
        self.lag = Gauge(
            "exchangerates_scheduler_lag_seconds",
            "How long the object has waited that waits longest to be served",
            registry=registry,
        )
        self.watches = Gauge(
            "exchangerates_watches",
            "Watches by resource, one for each watched namespace or one for all",
            ["resource"],
            registry=registry,
        )
        self.watch_restarts = Counter(
            "exchangerates_watch_restarts",
            "Watches that were opened anew, by resource; the API server itself ends one after half an hour to an hour",
            ["resource"],
            registry=registry,
        )


class Metrics:
    """The metrics of one operator, on a registry of their own.

    Args:
        providers: The enabled rate providers; their series are there from the start.
    """

    def __init__(self, providers: Iterable[str] = ()) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._passes = _Passes(self._registry)
        self._calls = _Calls(self._registry)
        self._objects = _Objects(self._registry)
        self._watched: set[str] = set()
        for resource in ("configmaps", PLURAL):
            self._objects.watches.labels(resource)
            self._objects.watch_restarts.labels(resource)
        for provider in providers:
            self._calls.seconds.labels(provider)
            for outcome in ("success", "failure"):
                self._calls.ended.labels(provider, outcome)

    def reconciled(self, ended: str, seconds: float) -> None:
        """Count one pass by its reason, or by `Gone` or `ApiError`."""
        self._passes.ended.labels(ended).inc()
        self._passes.seconds.observe(seconds)

    def fetched(self, provider: str, seconds: float, table: RateTable | None) -> None:
        """Count one call for a rate provider's newest table, None for a failure; its newest day is the quotes' age."""
        self.fetched_day(provider, seconds, table)
        if table is not None and table.prices:
            newest = max(price.date for price in table.prices.values())
            self._calls.quote_date.labels(provider).set(dt.datetime.combine(newest, dt.time(), dt.UTC).timestamp())

    def fetched_day(self, provider: str, seconds: float, table: RateTable | None) -> None:
        """Count one call for a day's table, None for a failure; it says nothing of how old the newest quotes are."""
        self._calls.ended.labels(provider, "failure" if table is None else "success").inc()
        self._calls.seconds.labels(provider).observe(seconds)

    def watch_opened(self, path: str) -> None:
        """Count a watch, or that it is opened not for the first time, by its path at the API server."""
        counted = self._objects.watch_restarts if path in self._watched else self._objects.watches
        counted.labels(path.rpartition("/")[2]).inc()
        self._watched.add(path)

    def exposition(self, gauges: Gauges) -> bytes:
        """Give the text that Prometheus scrapes."""
        self._objects.by_reason.clear()
        for reason, count in gauges.objects().items():
            ready = "true" if reason in READY_REASONS else "false"
            self._objects.by_reason.labels(ready, reason or "Pending").set(count)
        for provider, (used, left, lengthened) in gauges.budgets().items():
            self._calls.per_day.labels(provider, "used").set(used)
            self._calls.per_day.labels(provider, "left").set(left)
            self._calls.lengthened.labels(provider).set(lengthened)
        self._objects.backlog.set(gauges.backlog())
        self._objects.lag.set(gauges.lag_s())
        return generate_latest(self._registry)
