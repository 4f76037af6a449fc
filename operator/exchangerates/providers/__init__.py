"""The rate providers: one module each, one protocol, one registry.

A provider gives everything it quotes against one base currency in one call. It keeps no state, retries nothing and
knows no clock but the date that it is given: when to call is for `rate_tables` to say.
"""

import datetime as dt
from collections.abc import Mapping
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


class FetchDay(Protocol):
    """One call to a rate provider for a day that is over, synchronous."""

    def __call__(self, url: str, key: str | None, day: dt.date, today: dt.date) -> RateTable:
        """Fetch the table of a day, or of the last quoted day before it; otherwise as `Fetch`."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A rate provider.

    Attributes:
        fetch: Its call.
        url: Its public root address.
        min_fetch_interval_s: Least seconds between two calls, where the stack sets none.
        needs_key: Whether it wants an API key.
        fetch_day: Its call for a day that is over; None for one that keeps no history.
    """

    fetch: Fetch
    url: str
    min_fetch_interval_s: float
    needs_key: bool = False
    fetch_day: FetchDay | None = None


PROVIDERS: Final[Mapping[str, Provider]] = {
    "frankfurter": Provider(frankfurter.fetch, "https://api.frankfurter.dev", 20.0, fetch_day=frankfurter.fetch_day),
    "ecb": Provider(ecb.fetch, "https://www.ecb.europa.eu", 20.0, fetch_day=ecb.fetch_day),
    "exchangeratesapi": Provider(exchangeratesapi.fetch, "https://api.exchangeratesapi.io", 8 * 3600.0, needs_key=True),
    "openexchangerates": Provider(
        openexchangerates.fetch,
        "https://openexchangerates.org",
        3600.0,
        needs_key=True,
        fetch_day=openexchangerates.fetch_day,
    ),
    "frankfurter-blended": Provider(
        frankfurter.fetch_blended, "https://api.frankfurter.dev", 20.0, fetch_day=frankfurter.fetch_blended_day
    ),
}
"""By the names that users write; equal to `exchangerates.api.PROVIDERS` and to the CRD's enum."""
