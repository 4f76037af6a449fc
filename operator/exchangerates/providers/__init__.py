"""The rate providers: one module each, one protocol, one registry.

A provider gives everything it quotes against one base currency in one call. It keeps no state, retries nothing and
knows no clock but the date that it is given: when to call is for `rate_tables` to say.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from exchangerates.providers import ecb, exchangeratesapi, frankfurter, openexchangerates
from exchangerates.rates import RateTable


class Fetch(Protocol):
    """One call to a rate provider, synchronous."""

    def __call__(self, url: str, key: str | None, today: dt.date) -> RateTable:
        """Fetch the whole table.

        Args:
            url: The root address.
            key: The API key, where the provider wants one.
            today: The day in UTC: a quote for a day after tomorrow is refused.

        Raises:
            FetchError: The table could not be had, or is not to be trusted.
        """


class FetchDays(Protocol):
    """One call to a rate provider for days that are over, synchronous."""

    def __call__(
        self, url: str, key: str | None, days: Sequence[dt.date], today: dt.date
    ) -> Mapping[dt.date, RateTable]:
        """Fetch the table of the first day, and of those of the others that the same answer holds; else as `Fetch`.

        A day's table is the one of that day, or of the last quoted day before it.

        Raises:
            FetchError: There is none for the first day. Another day's that cannot be read is left out.
        """


@dataclass(frozen=True, slots=True)
class Provider:
    """A rate provider.

    Attributes:
        fetch: Its call.
        url: Its public root address.
        min_fetch_interval_s: Least seconds between two calls, where the stack sets none.
        needs_key: Whether it wants an API key.
        fetch_days: Its call for days that are over; None for one that keeps no history.
        days_at_once: How many days one such call may answer for.
    """

    fetch: Fetch
    url: str
    min_fetch_interval_s: float
    needs_key: bool = False
    fetch_days: FetchDays | None = None
    days_at_once: int = 1


PROVIDERS: Final[Mapping[str, Provider]] = {
    "frankfurter": Provider(frankfurter.fetch, "https://api.frankfurter.dev", 20.0, fetch_days=frankfurter.fetch_days),
    "ecb": Provider(ecb.fetch, "https://www.ecb.europa.eu", 20.0, fetch_days=ecb.fetch_days, days_at_once=256),
    "exchangeratesapi": Provider(exchangeratesapi.fetch, "https://api.exchangeratesapi.io", 8 * 3600.0, needs_key=True),
    "openexchangerates": Provider(
        openexchangerates.fetch,
        "https://openexchangerates.org",
        3600.0,
        needs_key=True,
        fetch_days=openexchangerates.fetch_days,
    ),
    "frankfurter-blended": Provider(
        frankfurter.fetch_blended, "https://api.frankfurter.dev", 20.0, fetch_days=frankfurter.fetch_blended_days
    ),
}
"""By the names that users write; equal to `exchangerates.api.PROVIDERS` and to the CRD's enum."""
