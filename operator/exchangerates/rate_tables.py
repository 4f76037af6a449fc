"""The rate tables that all objects share: one upstream call serves them all.

A provider is called at most once per its least fetch interval, whoever asks. Nobody waits in here: who comes while a
call is under way is told which, and comes again when it has ended. A failing provider is left alone for growing times,
so that failing never costs more calls than succeeding; only for an object that has no good rate it is tried again
quickly, three times, and then once per least fetch interval. Its `Retry-After` holds in any case.
"""

import asyncio
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exchangerates.errors import (
    AccessRefused,
    CurrencyNotSupported,
    FetchError,
    HistoryNotSupported,
    OutOfBudget,
    ProviderNotEnabled,
    ProviderRefused,
    ProviderUnavailable,
    ReconcileError,
)
from exchangerates.rates import Quote
from exchangerates.source import Source
from exchangerates.spec import ExchangeRateSpec


@dataclass(frozen=True, slots=True)
class Fetched:
    """Quotes of one table, and when to look for newer ones.

    Attributes:
        quotes: One per currency of the spec, in its order.
        usable_s: Seconds until the table should be looked at again.
    """

    quotes: tuple[Quote, ...]
    usable_s: float


@dataclass(slots=True)
class _Refusals:
    """Why the providers that were asked had not the quotes of a spec.

    Attributes:
        spec: Whose quotes.
        missing: The codes that are not quoted, by provider that answered.
        errors: What went wrong, by provider that did not.
        wait_s: Seconds until the first of those may be asked again.
    """

    spec: ExchangeRateSpec
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    errors: dict[str, FetchError] = field(default_factory=dict)
    wait_s: float = math.inf

    def failed(self, provider: str, error: FetchError, wait_s: float) -> None:
        """Note a provider that did not answer, and for how many seconds it is left alone."""
        self.errors[provider] = error
        self.wait_s = min(self.wait_s, wait_s)

    def problem(self) -> ReconcileError:
        """Give what to tell: who lacks what, who failed and how, and when to come again."""
        lacking = [
            f"{code} is not quoted by {', '.join(name for name, codes in self.missing.items() if code in codes)}"
            for code in dict.fromkeys(code for codes in self.missing.values() for code in codes)
        ]
        said = "; ".join([*lacking, *(f"{name}: {error}" for name, error in self.errors.items())])
        pair = self.spec.pair
        if not self.errors:
            return CurrencyNotSupported(
                f"no quote for {pair}: {said}; check the codes, or name a rate provider that quotes them all",
                retry_after_s=self.spec.refresh_interval_s,
            )
        if all(isinstance(error, AccessRefused) for error in self.errors.values()):
            return ProviderRefused(
                f"no quote for {pair}: {said}; the operator's platform team has to look at the API key and the plan",
                retry_after_s=self.wait_s,
            )
        return ProviderUnavailable(
            f"no quote for {pair}: {said}; it is tried again by itself", retry_after_s=self.wait_s
        )


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

        Where every provider fails, an older table that still is in memory serves; the quote's date tells its age.

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
        refusals, now = _Refusals(spec), asyncio.get_running_loop().time()
        for source in sources:
            try:
                table = source.latest(max_age_s, urgent=urgent)
            except FetchError as error:
                free_s = error.retry_after_s or 0.0 if isinstance(error, OutOfBudget) else 0.0
                refusals.failed(source.name, error, max(source.next_call(urgent=urgent) - now, free_s, 1.0))
                continue
            if quotes := table.quotes(spec.base, spec.currencies):
                until = source.usable_until(spec.refresh_interval_s, now, urgent=urgent)
                if until > source.fetched_at + max(spec.refresh_interval_s, source.min_fetch_interval_s):
                    source.note_lengthened()
                return Fetched(quotes, max(until - now, 0.0))
            refusals.missing[source.name] = table.missing(spec.base, spec.currencies)
        problem = refusals.problem()
        for source in sources:
            older = source.table if source.name in refusals.errors else None
            if older and (quotes := older.quotes(spec.base, spec.currencies)):
                # Somebody more urgent may be answered sooner: a look within the interval finds that without a call.
                return Fetched(quotes, min(problem.retry_after_s or 0.0, spec.refresh_interval_s))
        raise problem

    def budgets(self) -> Mapping[str, tuple[int, int, bool]]:
        """Give the calls used and left, and whether the budget makes somebody wait, of the providers that have one."""
        now = asyncio.get_running_loop().time()
        found = {}
        for source in self._sources.values():
            if source.budget is not None:
                used = source.budget.used(now)
                found[source.name] = (used, source.budget.limit - used, source.budget.lengthened)
        return found

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
        refusals = _Refusals(spec)
        for source, history in sources:
            try:
                table = history.table(date)
            except FetchError as error:
                refusals.failed(source.name, error, history.wait_s())
                if isinstance(error, OutOfBudget):
                    source.note_lengthened()
                continue
            if quotes := table.quotes(spec.base, spec.currencies):
                return quotes
            refusals.missing[source.name] = table.missing(spec.base, spec.currencies)
        raise refusals.problem()

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


def today_utc() -> dt.date:
    """Give the day by which a provider's dates are judged."""
    return dt.datetime.now(dt.UTC).date()
