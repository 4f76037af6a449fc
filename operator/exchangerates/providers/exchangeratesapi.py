"""exchangeratesapi.io: JSON, with an API key; the free plan has base EUR only and about 100 calls a month.

Source: its public documentation; Fixer answers in the same shape.
"""

import datetime as dt
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from exchangerates.errors import AccessRefused, FetchError
from exchangerates.providers import http
from exchangerates.providers.table import BASE, checked_table
from exchangerates.rates import RateTable

_REFUSALS: Final = frozenset(
    {
        "101", "102", "103", "104", "105",
        "missing_access_key", "invalid_access_key", "inactive_user", "invalid_api_function",
        "usage_limit_reached", "function_access_restricted", "base_currency_access_restricted",
        "https_access_restricted",
    }
)  # fmt: skip
"""Errors about the key, the plan or the quota, by the number of one error shape and the name of the other."""


def fetch(url: str, key: str | None, today: dt.date) -> RateTable:
    """Fetch every currency's latest quote; see `providers.Fetch`."""
    status, body = http.get(f"{url}/v1/latest", {"access_key": key or ""}, too_many=AccessRefused)
    return parse(status, body, today)


def parse(status: int, body: bytes, today: dt.date) -> RateTable:
    """Read the envelope; an error can come with any status, 200 too.

    Raises:
        AccessRefused: The key, the plan or the quota was refused.
        FetchError: Any other error, another base than EUR, or a quote that is not usable.
    """
    answer = http.json_object(body)
    if not isinstance(answer, dict):
        raise FetchError("the answer is not an object")
    if status != HTTPStatus.OK or answer.get("success") is not True:
        raise _refused(status, answer)
    if answer.get("base") != BASE:
        raise FetchError(f"the base is not {BASE}")
    rates, date = answer.get("rates"), answer.get("date")
    if not isinstance(rates, dict):
        raise FetchError("the answer holds no quotes")
    return checked_table("exchangeratesapi", ((currency, rate, date) for currency, rate in rates.items()), today)


def _refused(status: int, answer: Mapping[str, Any]) -> FetchError:
    error = answer.get("error")
    error = error if isinstance(error, dict) else {}
    names = {str(error.get("code")), str(error.get("type"))} - {"None"}
    known = sorted(names & _REFUSALS, key=len)
    if known or status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return AccessRefused(f"access refused ({known[-1] if known else f'HTTP {status}'})")
    return FetchError(f"HTTP {status} without quotes")
