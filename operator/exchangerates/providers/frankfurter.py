"""Frankfurter, API v2: the ECB's own digits as JSON rows, no key. Base EUR only: its other bases are rounded.

Source: the OpenAPI document of Frankfurter v2, `GET /v2/rates`, and what its source rounds (`lib/roundable.rb`).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from http import HTTPStatus
from typing import Final

from exchangerates.errors import FetchError
from exchangerates.providers import http
from exchangerates.providers.table import BASE, checked_table
from exchangerates.rates import RateTable

ECB_ONLY: Final = {"providers": "ECB"}
LEAST_BLENDED: Final = Decimal("0.01")
"""Blended rates below 1 are rounded to five decimals: an ounce of gold, 0.00024, may be 2 % off."""


def fetch(url: str, key: str | None, today: dt.date) -> RateTable:
    """Fetch every currency's latest quote of the ECB; see `providers.Fetch`."""
    del key
    return _get("frankfurter", url, ECB_ONLY, today)


def fetch_days(url: str, key: str | None, days: Sequence[dt.date], today: dt.date) -> Mapping[dt.date, RateTable]:
    """Fetch the ECB's quotes of a day; see `providers.FetchDays`. Frankfurter carries them forward itself."""
    del key
    return {days[0]: _get("frankfurter", url, {**ECB_ONLY, "date": days[0].isoformat()}, today)}


def fetch_blended(url: str, key: str | None, today: dt.date) -> RateTable:
    """Fetch what Frankfurter blends from many banks: more currencies, but no bank's own digits."""
    del key
    return _precise(_get("frankfurter-blended", url, {}, today))


def fetch_blended_days(
    url: str, key: str | None, days: Sequence[dt.date], today: dt.date
) -> Mapping[dt.date, RateTable]:
    """Fetch the blended quotes of a day."""
    del key
    return {days[0]: _precise(_get("frankfurter-blended", url, {"date": days[0].isoformat()}, today))}


def _precise(table: RateTable) -> RateTable:
    """Leave out the quotes of which the rounding has left too little."""
    return replace(table, prices={code: price for code, price in table.prices.items() if price.rate >= LEAST_BLENDED})


def _get(name: str, url: str, wanted: Mapping[str, str], today: dt.date) -> RateTable:
    status, body = http.get(f"{url}/v2/rates", {"base": BASE, **wanted})
    if status != HTTPStatus.OK:
        raise FetchError(f"HTTP {status}")
    return parse(body, today, name)


def parse(body: bytes, today: dt.date, name: str = "frankfurter") -> RateTable:
    """Read the rows `{"date", "base", "quote", "rate"}`; their dates may differ from each other.

    Raises:
        FetchError: It is no list of such rows for base EUR, or a quote is not usable.
    """
    rows = http.json_object(body)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FetchError("the answer is not a list of quotes")
    if any(row.get("base") != BASE for row in rows):
        raise FetchError(f"a quote's base is not {BASE}")
    return checked_table(name, ((row.get("quote"), row.get("rate"), row.get("date")) for row in rows), today)
