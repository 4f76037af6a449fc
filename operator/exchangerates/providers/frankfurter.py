"""Frankfurter, API v2: the ECB's own digits as JSON rows, no key. Base EUR only: its other bases are rounded.

Source: the OpenAPI document of Frankfurter v2, `GET /v2/rates`.
"""

import datetime as dt
from http import HTTPStatus

from exchangerates.errors import FetchError
from exchangerates.providers import http
from exchangerates.providers.table import BASE, checked_table
from exchangerates.rates import RateTable


def fetch(url: str, key: str | None, today: dt.date) -> RateTable:
    """Fetch every currency's latest quote of the ECB; see `providers.Fetch`."""
    del key
    status, body = http.get(f"{url}/v2/rates", {"base": BASE, "providers": "ECB"})
    if status != HTTPStatus.OK:
        raise FetchError(f"HTTP {status}")
    return parse(body, today)


def fetch_day(url: str, key: str | None, day: dt.date, today: dt.date) -> RateTable:
    """Fetch the ECB's quotes of a day; see `providers.FetchDay`. Frankfurter carries them forward itself."""
    del key
    status, body = http.get(f"{url}/v2/rates", {"base": BASE, "providers": "ECB", "date": day.isoformat()})
    if status != HTTPStatus.OK:
        raise FetchError(f"HTTP {status}")
    return parse(body, today)


def parse(body: bytes, today: dt.date) -> RateTable:
    """Read the rows `{"date", "base", "quote", "rate"}`; their dates may differ from each other.

    Raises:
        FetchError: It is no list of such rows for base EUR, or a quote is not usable.
    """
    rows = http.json_object(body)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FetchError("the answer is not a list of quotes")
    if any(row.get("base") != BASE for row in rows):
        raise FetchError(f"a quote's base is not {BASE}")
    return checked_table("frankfurter", ((row.get("quote"), row.get("rate"), row.get("date")) for row in rows), today)
