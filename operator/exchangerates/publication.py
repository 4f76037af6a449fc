"""What an object publishes, and what a newly fetched quote makes of it. Pure: no clock, no I/O.

Quotes of one object belong together: they are of one table, and they are published, kept and held back as one.
"""

import datetime as dt
from dataclasses import dataclass, replace

from exchangerates.rates import Quote
from exchangerates.spec import ExchangeRateSpec


@dataclass(frozen=True, slots=True)
class Publication:
    """What an object publishes.

    Attributes:
        quotes: One per currency of the object, in its order, all of one table; never empty.
    """

    quotes: tuple[Quote, ...]

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
        """Give the seconds since the start of the quotes' own day, UTC; negative for tomorrow's."""
        return age_of_day_s(self.date, now)

    def published_since(self, since: str) -> "Publication":
        """Give it as one that is published since this time, RFC 3339."""
        return replace(self, quotes=tuple(replace(quote, since=since) for quote in self.quotes))


def age_of_day_s(day: dt.date, now: dt.datetime) -> float:
    """Give the seconds since the start of a day, UTC; negative for tomorrow."""
    return (now - dt.datetime.combine(day, dt.time(), dt.UTC)).total_seconds()


def decide(spec: ExchangeRateSpec, published: Publication | None, fetched: tuple[Quote, ...], now: str) -> Publication:
    """Decide what is published after quotes were fetched.

    Args:
        spec: What the object asks for.
        published: What is published and answers the spec, or None.
        fetched: The quotes, in the spec's order.
        now: The time, RFC 3339.
    """
    del spec
    if published is None:
        return Publication(fetched).published_since(now)
    pairs = list(zip(fetched, published.quotes, strict=True))
    if any(new.date < old.date for new, old in pairs) or all(_same(new, old) for new, old in pairs):
        return published
    return Publication(tuple(old if new == old else replace(new, since=now) for new, old in pairs))


def _same(one: Quote, other: Quote) -> bool:
    """Tell whether two providers say the same: then the name under which it is published stays."""
    return (one.rate, one.date, one.derived) == (other.rate, other.date, other.derived)
