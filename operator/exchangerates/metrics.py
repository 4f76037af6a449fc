"""What an on-call person wants to know, as Prometheus metrics. Series go with what they describe."""

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from exchangerates.api import Reason

_SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one operator, on a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._reconciles = Counter(
            "exchangerates_reconciles",
            "Passes over objects by the reason they ended with",
            ["reason"],
            registry=self._registry,
        )
        self._reconcile_seconds = Histogram(
            "exchangerates_reconcile_duration_seconds", "Time of one pass", buckets=_SECONDS, registry=self._registry
        )
        self._fetches = Counter(
            "exchangerates_provider_fetches",
            "Calls to rate providers",
            ["provider", "outcome"],
            registry=self._registry,
        )
        self._fetch_seconds = Histogram(
            "exchangerates_provider_fetch_duration_seconds",
            "Time of one call to a rate provider",
            ["provider"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._quote_date = Gauge(
            "exchangerates_provider_quote_timestamp_seconds",
            "Start of the newest quoted day, UTC, by rate provider",
            ["provider"],
            registry=self._registry,
        )
        self._objects = Gauge(
            "exchangerates_objects",
            "ExchangeRates by the reason of their last pass",
            ["reason"],
            registry=self._registry,
        )
        self._backlog = Gauge("exchangerates_queue_length", "Objects that wait to be served", registry=self._registry)

    def reconciled(self, reason: Reason | None, seconds: float) -> None:
        """Count one pass."""
        self._reconciles.labels(reason or "Gone").inc()
        self._reconcile_seconds.observe(seconds)

    def fetched(self, provider: str, seconds: float, newest_quote_s: float | None) -> None:
        """Count one call to a rate provider; the newest quote's day as Unix seconds, or None for a failure."""
        self._fetches.labels(provider, "failure" if newest_quote_s is None else "success").inc()
        self._fetch_seconds.labels(provider).observe(seconds)
        if newest_quote_s is not None:
            self._quote_date.labels(provider).set(newest_quote_s)

    def exposition(self, objects: Callable[[], Mapping[Reason | None, int]], backlog: Callable[[], int]) -> bytes:
        """Give the text that Prometheus scrapes."""
        self._objects.clear()
        for reason, count in objects().items():
            self._objects.labels(reason or "Pending").set(count)
        self._backlog.set(backlog())
        return generate_latest(self._registry)
