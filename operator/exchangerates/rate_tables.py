"""The rate tables that all objects share: one upstream call serves them all.

A provider is called at most once per its least fetch interval, whoever asks. Nobody waits in here: who comes while a
call is under way is told which, and comes again when it has ended. A failing provider is left alone for growing times,
so that failing never costs more calls than succeeding; only for an object that has no good rate it is tried again
quickly, three times, and then once per least fetch interval. Its `Retry-After` holds in any case.
"""

import asyncio
import datetime as dt
import logging
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from exchangerates import threads
from exchangerates.day_tables import DayTables
from exchangerates.errors import (
    AccessRefused,
    CurrencyNotSupported,
    FetchedBefore,
    FetchError,
    FetchUnderWay,
    HistoryNotSupported,
    ProviderNotEnabled,
    ProviderRefused,
    ProviderUnavailable,
    ReconcileError,
)
from exchangerates.rates import Quote, RateTable
from exchangerates.schedule import backoff_s
from exchangerates.spec import ExchangeRateSpec

QUICK_TRIES: Final = 3
"""How many failures in a row are followed by a short pause (2, 4, 8 s) where somebody has no good rate."""
MAX_PATIENT_PAUSE_S: Final = 600.0
"""How long a failing provider is left alone at most while all objects have a good rate; or its least interval."""
FETCH_TIMEOUT_S: Final = 30.0
"""After this a call is given up; a provider's own deadline is shorter."""
MAX_RETRY_AFTER_S: Final = 24 * 3600.0

logger = logging.getLogger(__name__)


class FetchObserver(Protocol):
    """Hears of every call to a provider."""

    def __call__(self, provider: str, seconds: float, table: RateTable | None, /) -> None:
        """Hear of one call: how long it took, and what it gave, None for a failure."""


@dataclass(slots=True)
class Source:
    """One enabled provider: its latest table, and when it may be called again. Times are the loop's, in seconds."""

    name: str
    fetch: Callable[[], RateTable]
    min_fetch_interval_s: float
    observer: FetchObserver
    history: DayTables | None = None
    table: RateTable | None = None
    fetched_at: float = -math.inf
    error: FetchError | None = None
    failures: int = 0
    _next_call: float = -math.inf
    _next_patient_call: float = -math.inf
    _under_way: asyncio.Task[None] | None = field(default=None, repr=False)

    def usable_until(self, max_age_s: float) -> float:
        """Give the time at which the held table has to be looked at again by somebody with this refresh interval."""
        return self.fetched_at + max(max_age_s, self.min_fetch_interval_s)

    def next_call(self, *, urgent: bool) -> float:
        """Give the time from which a failing provider may be called again."""
        return self._next_call if urgent else self._next_patient_call

    def remember(self, fetched_at: float) -> None:
        """Take up when an earlier process has called last, at the least."""
        if self.table is None:
            self.fetched_at = max(self.fetched_at, fetched_at)

    def latest(self, max_age_s: float, *, urgent: bool) -> RateTable:
        """Give a table that was fetched at most this long ago, or the latest that may be had.

        Args:
            max_age_s: How old the table may be, in seconds.
            urgent: Whether the caller has no good rate.

        Raises:
            FetchUnderWay: A call is under way, now begun or before.
            FetchedBefore: An earlier process has called so recently that it is too early for another call.
            FetchError: The last call failed so recently that it is too early for another.
        """
        now = asyncio.get_running_loop().time()
        if self.table is not None and now < self.usable_until(max_age_s):
            return self.table
        if self._under_way is None:
            if self.error is not None and now < self.next_call(urgent=urgent):
                raise self.error
            if self.table is None and self.error is None and not urgent and now < self.usable_until(max_age_s):
                raise FetchedBefore(self.usable_until(max_age_s) - now)
            self._under_way = asyncio.create_task(self._call(), name=f"fetch {self.name}")
        raise FetchUnderWay(self._under_way)

    async def _call(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                table = await threads.in_thread(self.fetch)
        except (FetchError, TimeoutError) as error:
            self._failed(error if isinstance(error, FetchError) else FetchError("timed out"), loop.time())
        except Exception:
            logger.exception("rate provider %s: its answer could not be read", self.name)
            self._failed(FetchError("its answer could not be read"), loop.time())
        else:
            if self.error is not None:
                logger.info("rate provider %s answers again", self.name)
            self.table, self.fetched_at, self.error, self.failures = table, loop.time(), None, 0
        finally:
            self._under_way = None
        self.observer(self.name, loop.time() - began, None if self.error else self.table)

    def _failed(self, error: FetchError, now: float) -> None:
        self.failures += 1
        pause_s = self.min_fetch_interval_s
        patient_s = max(pause_s, backoff_s(self.failures, 2.0 * pause_s, MAX_PATIENT_PAUSE_S))
        if self.failures <= QUICK_TRIES and not isinstance(error, AccessRefused):
            pause_s = min(pause_s, 2.0**self.failures * random.uniform(0.75, 1.25))  # noqa: S311 - jitter, not a secret
        asked_s = min(error.retry_after_s or 0.0, MAX_RETRY_AFTER_S)
        self.error = error
        self._next_call, self._next_patient_call = now + max(pause_s, asked_s), now + max(patient_s, asked_s)
        logger.warning(
            "rate provider %s: %s; called again in %.0f s at the earliest, or in %.0f s if every object has a rate",
            self.name,
            error,
            max(pause_s, asked_s),
            max(patient_s, asked_s),
        )


@dataclass(frozen=True, slots=True)
class Fetched:
    """Quotes of one table, and when to look for newer ones.

    Attributes:
        quotes: One per currency of the spec, in its order.
        usable_s: Seconds until the table should be looked at again.
    """

    quotes: tuple[Quote, ...]
    usable_s: float


class RateTables:
    """The enabled providers, in the order of the stack's chain."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources: Mapping[str, Source] = {source.name: source for source in sources}

    def remember(self, provider: str, ago_s: float) -> None:
        """Take up that an earlier process has fetched from a provider this many seconds ago, or later."""
        if provider in self._sources:
            self._sources[provider].remember(asyncio.get_running_loop().time() - ago_s)

    def quote(self, spec: ExchangeRateSpec, max_age_s: float, *, urgent: bool, without: str | None = None) -> Fetched:
        """Give the quotes for a spec from the first provider of its chain that has them all.

        Where every provider fails, an older table that still is in memory serves; the quote's own date says how old it
        is.

        Args:
            spec: Whose quote.
            max_age_s: How long ago the table may have been fetched, in seconds.
            urgent: Whether there is no good rate to go on with: a failing provider is then asked again sooner.
            without: A provider of the chain that is left out, because its word is known.

        Raises:
            FetchUnderWay: A provider is being asked; come again when it has answered.
            FetchedBefore: It is too early to ask; what is published is as new as may be.
            ProviderNotEnabled: The pinned provider is not one of the stack's.
            CurrencyNotSupported: All providers answered, none quotes the pair.
            ProviderRefused: Those that could have quoted it refused the key, the plan or the quota.
            ProviderUnavailable: Those that could have quoted it failed.
        """
        sources = tuple(source for source in self._chain(spec) if source.name != without)
        failed: list[Source] = []
        for source in sources:
            try:
                table = source.latest(max_age_s, urgent=urgent)
            except FetchError:
                failed.append(source)
                continue
            if quotes := table.quotes(spec.base, spec.currencies):
                usable_s = source.usable_until(spec.refresh_interval_s) - asyncio.get_running_loop().time()
                return Fetched(quotes, max(usable_s, 0.0))
        now = asyncio.get_running_loop().time()
        wait_s = max(min((source.next_call(urgent=urgent) for source in failed), default=0.0) - now, 1.0)
        errors = {source.name: source.error for source in failed if source.error is not None}
        problem = _problem(spec, [source.name for source in sources], errors, wait_s)
        for source in failed:
            if source.table and (quotes := source.table.quotes(spec.base, spec.currencies)):
                return Fetched(quotes, problem.retry_after_s or 0.0)
        raise problem

    def quote_on(self, spec: ExchangeRateSpec, date: dt.date) -> tuple[Quote, ...]:
        """Give the quotes of one day, or of the last quoted day before it, from the first provider that has them all.

        Raises:
            FetchUnderWay: A provider is being asked.
            HistoryNotSupported: No provider of the chain keeps its history.
            ReconcileError: As for `quote`.
        """
        chain = self._chain(spec)
        sources = [(source, source.history) for source in chain if source.history is not None]
        if not sources:
            names = ", ".join(source.name for source in chain)
            raise HistoryNotSupported(
                f"spec.date: {names} keeps no history; name a rate provider that does, such as frankfurter or ecb, "
                "or leave date out",
                retry_after_s=spec.refresh_interval_s,
            )
        failed: dict[str, FetchError] = {}
        wait_s = math.inf
        for source, history in sources:
            try:
                table = history.table(date)
            except FetchError as error:
                failed[source.name] = error
                wait_s = min(wait_s, history.wait_s())
                continue
            if quotes := table.quotes(spec.base, spec.currencies):
                return quotes
        raise _problem(spec, [source.name for source, _ in sources], failed, wait_s)

    def _chain(self, spec: ExchangeRateSpec) -> tuple[Source, ...]:
        if spec.provider is None:
            return tuple(self._sources.values())
        if spec.provider not in self._sources:
            raise ProviderNotEnabled(
                f"spec.provider: {spec.provider} is not enabled in this cluster, only {', '.join(self._sources)}; name "
                "one of them, or leave the field out, or ask the operator's platform team to enable it",
                retry_after_s=spec.refresh_interval_s,
            )
        return (self._sources[spec.provider],)


def _problem(
    spec: ExchangeRateSpec, asked: Sequence[str], failed: Mapping[str, FetchError], wait_s: float
) -> ReconcileError:
    """Give what to tell when no provider had the quotes: who was asked, who failed and how, and when to come again."""
    if not failed:
        return CurrencyNotSupported(
            f"{', '.join(asked)}: no quote for {spec.pair}; check both codes, or name a rate provider that quotes them",
            retry_after_s=spec.refresh_interval_s,
        )
    said = "; ".join(f"{name}: {error}" for name, error in failed.items())
    if all(isinstance(error, AccessRefused) for error in failed.values()):
        return ProviderRefused(
            f"no quote for {spec.pair}: {said}; the operator's platform team has to look at the API key and the plan",
            retry_after_s=wait_s,
        )
    return ProviderUnavailable(f"no quote for {spec.pair}: {said}; it is tried again by itself", retry_after_s=wait_s)


def today_utc() -> dt.date:
    """Give the day by which a provider's dates are judged."""
    return dt.datetime.now(dt.UTC).date()
