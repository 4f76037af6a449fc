"""What an object publishes, and what a newly fetched quote makes of it. Pure: no clock, no I/O.

Quotes of one object belong together: they are of one table, and they are published, kept and held back as one.
"""

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import Final

from exchangerates.rates import Quote, rfc3339
from exchangerates.spec import ExchangeRateSpec

_PERCENT: Final = Context(prec=50)


@dataclass(frozen=True, slots=True)
class Held:
    """Quotes that moved too far to be published without a second word.

    Attributes:
        quotes: One per currency of the object, in its order.
        since: Since when they are held back, RFC 3339.
        approval: The rates that moved too far, comma-separated: what a user writes to publish them all.
    """

    quotes: tuple[Quote, ...]
    since: str
    approval: str


@dataclass(frozen=True, slots=True)
class Publication:
    """What an object publishes.

    Attributes:
        quotes: One per currency of the object, in its order, all of one table; never empty.
        confirmed: The day of a later quote that moved too little to be published, or None.
        held: What moved too far to be published, or None.
    """

    quotes: tuple[Quote, ...]
    confirmed: dt.date | None = None
    held: Held | None = None

    @property
    def base(self) -> str:
        """The base currency."""
        return self.quotes[0].base

    @property
    def provider(self) -> str:
        """The rate provider."""
        return self.quotes[0].provider

    @property
    def date(self) -> dt.date:
        """The oldest of the quotes' days."""
        return min(quote.date for quote in self.quotes)

    @property
    def derived(self) -> bool:
        """Whether any of the quotes is derived."""
        return any(quote.derived for quote in self.quotes)

    @property
    def since(self) -> str | None:
        """Since when the newest of the quotes is published, RFC 3339; None where that is not known."""
        return max(filter(None, (quote.since for quote in self.quotes)), default=None)

    def age_s(self, now: dt.datetime) -> float:
        """Give the seconds since the start of the day, UTC, that last spoke for the quotes; negative for tomorrow."""
        return age_of_day_s(max(self.date, self.confirmed or self.date), now)

    def is_ahead(self, now: dt.datetime) -> bool:
        """Tell whether it is of a day after tomorrow: nobody quotes so far ahead, that was written by others."""
        return self.date > now.date() + dt.timedelta(days=1)

    def published_since(self, since: str) -> "Publication":
        """Give it as one that is published since this time, RFC 3339."""
        return replace(self, quotes=tuple(replace(quote, since=since) for quote in self.quotes))


def age_of_day_s(day: dt.date, now: dt.datetime) -> float:
    """Give the seconds since the start of a day, UTC; negative for tomorrow."""
    return (now - dt.datetime.combine(day, dt.time(), dt.UTC)).total_seconds()


def decide(
    spec: ExchangeRateSpec, published: Publication | None, fetched: tuple[Quote, ...], now: dt.datetime
) -> Publication:
    """Decide what is published after quotes were fetched.

    Args:
        spec: What the object asks for.
        published: What is published and answers the spec, or None.
        fetched: The quotes, in the spec's order.
        now: The time, UTC.
    """
    since = rfc3339(now)
    if published is None:
        return Publication(tuple(replace(quote, since=since) for quote in fetched))
    pairs = list(zip(fetched, published.quotes, strict=True))
    if any(new.date < old.date for new, old in pairs):
        return published
    if all(_same(new, old) for new, old in pairs):
        # Whoever had quoted the spike has taken it back; what another one says about the same day is no answer to it.
        taken_back = published.held is not None and published.held.quotes[0].provider == fetched[0].provider
        return replace(published, held=None) if taken_back else published
    if spec.max_change is not None and any(move(old, new) > spec.max_change for new, old in pairs):
        held = published.held
        if held is None or not _confirmed(held, fetched, published, spec.max_change):
            return replace(published, held=_hold(published, fetched, spec.max_change, since))
    elif spec.min_change is not None and all(move(old, new) < spec.min_change for new, old in pairs):
        return replace(published, held=None, confirmed=_confirmed_date(spec, published, fetched, now))
    return Publication(tuple(old if new == old else replace(new, since=since) for new, old in pairs))


def approved(published: Publication, now: dt.datetime) -> Publication:
    """Give what is published once what was held back is approved."""
    held = published.held
    if held is None:
        return published
    if any(kept.date < old.date for kept, old in zip(held.quotes, published.quotes, strict=True)):
        return replace(published, held=None)  # it would take a rate back to an older day
    return Publication(held.quotes).published_since(rfc3339(now))


def second_word(
    spec: ExchangeRateSpec, published: Publication, other: tuple[Quote, ...], now: dt.datetime
) -> Publication:
    """Decide what is published after another provider was asked about what is held back.

    Where it confirms it, that is published. Where it has an ordinary quote of a newer day, that is: what is held stays
    held, or the two providers would take turns.
    """
    held, limit = published.held, spec.max_change
    if held is None or limit is None:
        return published
    if any(move(old, new) > limit for new, old in zip(other, published.quotes, strict=True)):
        return approved(published, now) if _confirmed(held, other, published, limit) else published
    decided = decide(spec, published, other, now)
    if any(kept.date < new.date for kept, new in zip(held.quotes, decided.quotes, strict=True)):
        return replace(decided, held=None)  # approved, it would take a rate back to an older day
    return replace(decided, held=replace(held, approval=_approval(decided, held.quotes, limit) or held.approval))


def move(old: Quote, new: Quote) -> Decimal:
    """Give how far a rate has moved, up or down, in percent of the old one."""
    before, after = Decimal(old.rate), Decimal(new.rate)
    return _PERCENT.divide(_PERCENT.multiply(abs(after - before), Decimal(100)), before)


def _hold(published: Publication, fetched: tuple[Quote, ...], max_change: Decimal, since: str) -> Held:
    """Hold quotes back. What is held already stays, except for a later day's or its own provider's other word."""
    held, approval = published.held, _approval(published, fetched, max_change)
    if held is not None:
        same = held.quotes == fetched
        newer = any(new.date > old.date for new, old in zip(fetched, held.quotes, strict=True))
        if same or not (newer or held.quotes[0].provider == fetched[0].provider):
            return replace(held, approval=_approval(published, held.quotes, max_change))
    return Held(fetched, since, approval)


def _approval(published: Publication, quotes: tuple[Quote, ...], max_change: Decimal) -> str:
    pairs = zip(quotes, published.quotes, strict=True)
    return ",".join(new.rate for new, old in pairs if move(old, new) > max_change)


def _confirmed(held: Held, fetched: tuple[Quote, ...], published: Publication, max_change: Decimal) -> bool:
    """Tell whether quotes of a later day, or of another provider, are about as far away as the held ones."""
    triples = list(zip(fetched, held.quotes, published.quotes, strict=True))
    if any(move(kept, new) > max_change for new, kept, _ in triples):
        return False
    if fetched[0].provider != held.quotes[0].provider:
        return True
    return all(new.date > kept.date for new, kept, old in triples if move(old, new) > max_change)


def _confirmed_date(
    spec: ExchangeRateSpec, published: Publication, fetched: tuple[Quote, ...], now: dt.datetime
) -> dt.date | None:
    """Give the day that last spoke for the published quotes, brought up to date only where half their age is gone.

    It costs a write to every object that has it, and so, at most one in half of `maxAge`.
    """
    newest = min(quote.date for quote in fetched)
    late = published.age_s(now) > spec.max_age_s / 2
    return newest if late and newest > (published.confirmed or published.date) else published.confirmed


def _same(one: Quote, other: Quote) -> bool:
    """Tell whether two providers say the same: then the name under which it is published stays."""
    return (one.rate, one.date, one.derived) == (other.rate, other.date, other.derived)
