"""What an object is to publish: from memory where that serves, else from the rate providers, by `publication.decide`.

Every look is synchronous: where a provider has to be waited for, the pass is made again when it has answered.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from exchangerates import configmap, memory, status
from exchangerates.api import Condition, Reason
from exchangerates.day_tables import CARRIED_S
from exchangerates.errors import FetchedBefore, InvalidSpec, ReconcileError, Suspended
from exchangerates.objects import ExchangeRate
from exchangerates.publication import Held, Publication, approved, decide, second_word
from exchangerates.rate_tables import Fetched
from exchangerates.rates import Quote, rfc3339
from exchangerates.spec import MAX_REFRESH_INTERVAL_S, ExchangeRateSpec

_LATE: Final = dt.timedelta(days=1)
"""How late a provider may publish the rate of a day."""
_SATURDAY: Final = 5
_LOOK_AGAIN_S: Final = 3600.0
"""How old a table may be for who has no good rate, and how long until the next look, also where few are asked for."""


class Rates(Protocol):
    """The calls of `rate_tables.RateTables` that a look makes."""

    def quote(  # noqa: D102
        self, spec: ExchangeRateSpec, max_age_s: float, *, urgent: bool, without: str | None = None
    ) -> Fetched: ...
    def quote_on(self, spec: ExchangeRateSpec, date: dt.date) -> tuple[Quote, ...]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Found:
    """What a look has found.

    Attributes:
        published: What is to be published.
        usable_s: Seconds until it should be looked again; 0 keeps the look that is planned.
        looked: False where it was too early to ask anybody: who has wished for a look waits for it.
    """

    published: Publication
    usable_s: float
    looked: bool = True


@dataclass(frozen=True, slots=True)
class Lookup:
    """Looks for what one object is to publish.

    Attributes:
        rates: The rate providers' tables.
        owner: The object.
        spec: What it asks for.
        written: The data of its own ConfigMap; empty where there is none.
        now: The time, UTC.
    """

    rates: Rates
    owner: ExchangeRate
    spec: ExchangeRateSpec
    written: Mapping[str, str]
    now: dt.datetime

    def find(self, *, refresh: bool) -> Found:
        """Give what to publish: never an older quote than the published, nor the same under another name.

        Args:
            refresh: Whether a newer quote is wanted. Otherwise what is published serves where it answers the spec.

        Raises:
            FetchUnderWay: The quote is on its way.
            ReconcileError: There is nothing to publish, or somebody has to be told.
        """
        if self.spec.suspend:
            raise _suspended(self.spec)
        published = self._published()
        if published is not None and not (refresh or self._unsupported()):
            return Found(published, 0.0)
        if self.spec.date is not None:
            return self._of_one_day(self.spec.date, published)
        if published is not None and published.held is not None and published.held.approval == self.owner.approval:
            return Found(approved(published, self.now), 0.0)
        try:
            fetched = self._fetch(published)
        except FetchedBefore as early:
            if published is None:
                raise
            return Found(published, early.usable_s, looked=False)
        except ReconcileError as error:
            if published is None or error.reason not in (Reason.PROVIDER_UNAVAILABLE, Reason.PROVIDER_REFUSED):
                raise
            # Somebody more urgent may be answered sooner: a look within the interval finds that without a call.
            return Found(published, min(error.retry_after_s or 0.0, self.spec.refresh_interval_s))
        decided = decide(self.spec, published, fetched.quotes, self.now)
        if decided.held is not None:
            decided = self._second_opinion(decided, decided.held)
        usable_s = min(fetched.usable_s, _LOOK_AGAIN_S) if self._is_stale(decided) else fetched.usable_s
        return Found(decided, usable_s)

    def _published(self) -> Publication | None:
        """Give what is published, or may be."""
        told = (memory.published(status, self.spec) for status in (self.owner.tried, self.owner.remembered) if status)
        published = next((found for found in told if found is not None and not found.is_ahead(self.now)), None)
        if self.owner.tried is None and self.owner.written is None:
            return published  # it is what the status tells
        stored = memory.published(self.owner.status, self.spec)
        if stored and stored == published and stored.since and self.written == configmap.data_of(self.spec, stored):
            # Another operator has published the same, here and there: the earlier time is the true one.
            return min(published, stored, key=lambda found: found.since or "")
        return published

    def _second_opinion(self, published: Publication, held: Held) -> Publication:
        """Ask the other providers of the chain about a rate that moved too far; without an answer it stays held."""
        if self.spec.provider is not None:
            return published
        try:
            other = self.rates.quote(
                self.spec, self.spec.refresh_interval_s, urgent=False, without=held.quotes[0].provider
            )
        except (ReconcileError, FetchedBefore):
            return published
        return second_word(self.spec, published, other.quotes, self.now)

    def _of_one_day(self, date: dt.date, published: Publication | None) -> Found:
        """Give the rate of a day that is over: what is published once, nobody is asked for again."""
        today = self.now.date()
        if date >= today:
            tomorrow = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), dt.UTC)
            wait_s = min((tomorrow - self.now).total_seconds(), MAX_REFRESH_INTERVAL_S)
            raise InvalidSpec("date", f"{date} is not over yet (UTC); write an earlier day, or wait", wait_s)
        if published is None:
            quotes = self.rates.quote_on(self.spec, date)
            if today <= date + _LATE and _is_awaited(min(quote.date for quote in quotes), date):
                raise InvalidSpec(
                    "date",
                    f"{quotes[0].provider} has no rate of {date} yet; if none comes, the last one before it is taken "
                    f"when {date + _LATE} is over (UTC); write an earlier day, or wait",
                    CARRIED_S,
                )
            since = configmap.written_since(self.written, self.spec, quotes)
            published = Publication(quotes).published_since(since or rfc3339(self.now))
        return Found(published, MAX_REFRESH_INTERVAL_S)

    def _unsupported(self) -> bool:
        """Tell whether the last look has found that nobody who may be asked quotes the pair."""
        reason = status.condition(self.owner.remembered, Condition.READY).get("reason")
        return reason in (Reason.CURRENCY_NOT_SUPPORTED, Reason.PROVIDER_NOT_ENABLED)

    def _fetch(self, published: Publication | None) -> Fetched:
        urgent = published is None or self._is_stale(published)
        max_age_s = min(self.spec.refresh_interval_s, _LOOK_AGAIN_S) if urgent else self.spec.refresh_interval_s
        # Who asks by annotation takes the newest table that the provider allows, not one of the last interval; where
        # nobody answered then, one that is newer than the wish.
        wished_s = status.refreshed_s(self.owner, self.now) if status.acknowledged(self.owner) else 0.0
        return self.rates.quote(self.spec, min(max_age_s, wished_s), urgent=urgent)

    def _is_stale(self, published: Publication) -> bool:
        return published.age_s(self.now) > self.spec.max_age_s


def _is_awaited(quoted: dt.date, wanted: dt.date) -> bool:
    """Tell whether there is a working day after a quote, up to the wanted day: banks quote nothing on weekends."""
    return any((wanted - dt.timedelta(days=back)).weekday() < _SATURDAY for back in range((wanted - quoted).days))


def _suspended(spec: ExchangeRateSpec) -> Suspended:
    return Suspended(
        f"spec.suspend is true: ConfigMap {spec.target.name} is neither refreshed nor repaired until it is false",
        retry_after_s=spec.refresh_interval_s,
    )
