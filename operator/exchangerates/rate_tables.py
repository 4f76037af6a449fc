"""The rate tables that all objects share: one upstream call serves them all.

A provider is called at most once per its least fetch interval, whoever asks; callers that come while a call is under
way wait for it. A failing provider is left alone for growing times, so that failing never costs more calls than
succeeding in the long run: three quick tries, then its least fetch interval, and never before its `Retry-After`.
"""

import asyncio
import datetime as dt
import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from exchangerates.errors import (
    AccessRefused,
    CurrencyNotSupported,
    FetchError,
    ProviderNotEnabled,
    ProviderRefused,
    ProviderUnavailable,
    ReconcileError,
)
from exchangerates.rates import Quote, RateTable
from exchangerates.spec import ExchangeRateSpec

QUICK_TRIES: Final = 3
"""How many failures in a row are followed by a short pause (2, 4, 8 s) instead of the least fetch interval."""
FETCH_TIMEOUT_S: Final = 30.0
"""After this the caller goes on; a provider's own deadline is shorter."""
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
    table: RateTable | None = None
    fetched_at: float = 0.0
    next_call: float = 0.0
    error: FetchError | None = None
    failures: int = 0
    _under_way: asyncio.Task[None] | None = field(default=None, repr=False)

    def usable_until(self, max_age_s: float) -> float:
        """Give the time at which the held table has to be looked at again by somebody with this refresh interval."""
        return self.fetched_at + max(max_age_s, self.min_fetch_interval_s)

    async def latest(self, max_age_s: float) -> RateTable:
        """Give a table that was fetched at most this long ago, or the latest that may be had.

        Raises:
            FetchError: The call failed, now or so recently that it is too early for another.
        """
        now = asyncio.get_running_loop().time()
        if self.table is not None and now < self.usable_until(max_age_s):
            return self.table
        if self._under_way is None:
            if self.error is not None and now < self.next_call:
                raise self.error
            self._under_way = asyncio.create_task(self._call(), name=f"fetch {self.name}")
        await asyncio.shield(self._under_way)
        if self.error is not None:
            raise self.error
        if self.table is None:
            raise FetchError("the call was given up")
        return self.table

    async def _call(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                table = await _in_thread(self.fetch)
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
        pause = self.min_fetch_interval_s
        if self.failures <= QUICK_TRIES and not isinstance(error, AccessRefused):
            pause = min(pause, 2.0**self.failures * random.uniform(0.75, 1.25))  # noqa: S311 - jitter, not a secret
        pause = max(pause, min(error.retry_after_s or 0.0, MAX_RETRY_AFTER_S))
        self.error, self.next_call = error, now + pause
        logger.warning("rate provider %s: %s; it is called again in %.0f s at the earliest", self.name, error, pause)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A quote, and when to look for a newer one.

    Attributes:
        quote: The quote.
        usable_s: Seconds until the table should be looked at again.
        problem: Why it is not as new as was asked for, or None.
    """

    quote: Quote
    usable_s: float
    problem: ReconcileError | None = None


class RateTables:
    """The enabled providers, in the order of the stack's chain."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources: Mapping[str, Source] = {source.name: source for source in sources}

    async def quote(self, spec: ExchangeRateSpec) -> Fetched:
        """Give the quote for a spec from the first provider of its chain that has it.

        Where every provider fails, an older table that still is in memory serves; the quote's own date says how old it
        is.

        Raises:
            ProviderNotEnabled: The pinned provider is not one of the stack's.
            CurrencyNotSupported: All providers answered, none quotes the pair.
            ProviderRefused: Those that could have quoted it refused the key, the plan or the quota.
            ProviderUnavailable: Those that could have quoted it failed.
        """
        sources = self._chain(spec)
        failed: list[Source] = []
        for source in sources:
            try:
                table = await source.latest(spec.refresh_interval_s)
            except FetchError:
                failed.append(source)
                continue
            if quote := table.quote(spec.base, spec.currency):
                usable_s = source.usable_until(spec.refresh_interval_s) - asyncio.get_running_loop().time()
                return Fetched(quote, max(usable_s, 0.0))
        problem = _problem(spec, sources, failed)
        for source in failed:
            if source.table and (quote := source.table.quote(spec.base, spec.currency)):
                return Fetched(quote, problem.retry_after_s or 0.0, problem)
        raise problem

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


def _problem(spec: ExchangeRateSpec, sources: Sequence[Source], failed: Sequence[Source]) -> ReconcileError:
    pair = f"{spec.base} to {spec.currency}"
    if not failed:
        names = ", ".join(source.name for source in sources)
        return CurrencyNotSupported(
            f"{names}: no quote for {pair}; check both codes, or name a rate provider that quotes them",
            retry_after_s=spec.refresh_interval_s,
        )
    now = asyncio.get_running_loop().time()
    wait_s = max(min(source.next_call for source in failed) - now, 1.0)
    said = "; ".join(f"{source.name}: {source.error}" for source in failed)
    if all(isinstance(source.error, AccessRefused) for source in failed):
        return ProviderRefused(
            f"no quote for {pair}: {said}; the operator's platform team has to look at the API key and the plan",
            retry_after_s=wait_s,
        )
    return ProviderUnavailable(f"no quote for {pair}: {said}; it is tried again by itself", retry_after_s=wait_s)


async def _in_thread(call: Callable[[], RateTable]) -> RateTable:
    """Run a blocking call in a daemon thread: unlike an executor's, it does not hold up the end of the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[RateTable] = loop.create_future()

    def settle(table: RateTable | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        elif table is not None:
            done.set_result(table)

    def run() -> None:
        table: RateTable | None = None
        error: BaseException | None = None
        try:
            table = call()
        except BaseException as raised:  # noqa: BLE001 - it is raised again where it is awaited
            error = raised
        try:
            loop.call_soon_threadsafe(settle, table, error)
        except RuntimeError:
            logger.debug("the event loop ended before the call did")

    threading.Thread(target=run, name="fetch", daemon=True).start()
    return await done


def today_utc() -> dt.date:
    """Give the day by which a provider's dates are judged."""
    return dt.datetime.now(dt.UTC).date()
