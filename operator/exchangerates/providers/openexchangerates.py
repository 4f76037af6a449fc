"""openexchangerates.org: JSON, with an App ID; base USD, and 1,000 calls a month on the free plan.

Source: its public documentation, `/api/latest.json` and `/api/historical/*.json`.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

from exchangerates.errors import AccessRefused, FetchError
from exchangerates.providers import http
from exchangerates.providers.table import checked_table
from exchangerates.rates import RateTable

BASE: Final = "USD"
"""The only base of the free plan; other pairs are crossed from it."""
_MAX_TIMESTAMP: Final = 10**11
"""The year 5138."""
_REFUSALS: Final = frozenset(
    {"missing_app_id", "invalid_app_id", "app_id_inactive", "not_allowed", "access_restricted"}
)
"""Errors about the App ID, the plan or the quota."""


def fetch(url: str, key: str | None, today: dt.date) -> RateTable:
    """Fetch every currency's latest quote; see `providers.Fetch`."""
    return _get(f"{url}/api/latest.json", key, today)


def fetch_days(url: str, key: str | None, days: Sequence[dt.date], today: dt.date) -> Mapping[dt.date, RateTable]:
    """Fetch every currency's last quote of a day; see `providers.FetchDays`."""
    return {days[0]: _get(f"{url}/api/historical/{days[0]}.json", key, today)}


def _get(url: str, key: str | None, today: dt.date) -> RateTable:
    return parse(*http.get(url, {"app_id": key or ""}, too_many=AccessRefused), today)


def parse(status: int, body: bytes, today: dt.date) -> RateTable:
    """Read the envelope; its `timestamp`, in Unix seconds, gives the day (UTC) of all quotes.

    Raises:
        AccessRefused: The App ID, the plan or the quota was refused.
        FetchError: Any other error, another base than USD, or a quote that is not usable.
    """
    answer = http.json_object(body)
    if not isinstance(answer, dict):
        raise FetchError("the answer is not an object")
    if status != HTTPStatus.OK or answer.get("error"):
        known = str(answer.get("message"))
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or known in _REFUSALS:
            raise AccessRefused(f"access refused ({known if known in _REFUSALS else f'HTTP {status}'})")
        raise FetchError(f"HTTP {status} without quotes")
    if answer.get("base") != BASE:
        raise FetchError(f"the base is not {BASE}")
    rates = answer.get("rates")
    if not isinstance(rates, dict):
        raise FetchError("the answer holds no quotes")
    date = _date(answer.get("timestamp"))
    return checked_table("openexchangerates", ((code, rate, date) for code, rate in rates.items()), today, base=BASE)


def _date(timestamp: Any) -> str:  # noqa: ANN401 - JSON is what it is
    if not isinstance(timestamp, Decimal):
        return ""
    if not 0 <= timestamp < _MAX_TIMESTAMP:  # as an integer, 1e9999999 would keep the whole process busy for hours
        raise FetchError("the timestamp is not usable")
    return dt.datetime.fromtimestamp(int(timestamp), dt.UTC).date().isoformat()
