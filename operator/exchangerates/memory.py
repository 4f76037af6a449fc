"""What an earlier pass left in the status, or in the ConfigMap: the operator's memory over restarts. Pure and total.

A running operator reads the status that it wrote itself (`ExchangeRate.remembered`). What it finds at its start anybody
with the rights may have written: what cannot be is not remembered.
"""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from exchangerates.publication import Held, Publication
from exchangerates.rates import TIME, Quote, parse_date, parse_rate
from exchangerates.spec import ExchangeRateSpec


def published(status: Mapping[str, Any], spec: ExchangeRateSpec) -> Publication | None:
    """Give what an earlier pass published, where it answers this spec; else None."""
    if spec.provider not in (None, status.get("provider")) or status.get("base") != spec.base:
        return None
    if status.get("requestedDate") != (spec.date.isoformat() if spec.date else None):
        return None
    quotes = _quotes(status, spec)
    return Publication(quotes, _confirmed(status, spec), _held(status, spec)) if quotes else None


def last_publication(status: Mapping[str, Any]) -> tuple[str, dt.datetime] | None:
    """Give the rate provider of what is published and when that was published first; None where it is not told."""
    try:
        since = max(entry["publishedAt"] for entry in status["rates"])
        return str(status["provider"]), dt.datetime.strptime(since, TIME).replace(tzinfo=dt.UTC)
    except (KeyError, TypeError, ValueError):
        return None


def of_document(text: str) -> Mapping[str, Any] | None:
    """Give what a ConfigMap's quote says, as a status tells it; None where it is no such document."""
    try:
        document = json.loads(text)
        parts = document["rates"] if "rates" in document else {document["currency"]: document}
        rates = [
            {
                "currency": currency,
                "rate": part["rate"],
                "date": part["date"],
                "derived": part["derived"],
                "publishedAt": part["publishedAt"],
            }
            for currency, part in parts.items()
        ]
        return {"base": document["base"], "provider": document["provider"], "rates": rates}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def is_later(told: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Tell whether something else was published than a status tells, and not before it.

    The time of its publication says so, or the day of the same pairs' quotes, since a clock may have jumped.
    """
    there, here = last_publication(told), last_publication(status)
    if there is None or all(status.get(name) == part for name, part in told.items()):
        return False
    return here is None or there[1] >= here[1] or _has_newer_days(told, status)


def _has_newer_days(told: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    try:
        new, old = ({entry["currency"]: str(entry["date"]) for entry in part["rates"]} for part in (told, status))
    except (KeyError, TypeError):
        return False
    if told["base"] != status.get("base") or new.keys() != old.keys():
        return False
    return all(new[currency] >= date for currency, date in old.items()) and new != old


def _confirmed(status: Mapping[str, Any], spec: ExchangeRateSpec) -> dt.date | None:
    try:
        return parse_date(status.get("confirmedDate")) if spec.min_change is not None else None
    except ValueError:
        return None


def _held(status: Mapping[str, Any], spec: ExchangeRateSpec) -> Held | None:
    held = status.get("held")
    if spec.max_change is None or not isinstance(held, Mapping):
        return None
    quotes, since, approval = _quotes(held, spec), held.get("since"), held.get("approval")
    return Held(quotes, str(since), str(approval)) if quotes and since and approval else None


def _quotes(part: Mapping[str, Any], spec: ExchangeRateSpec) -> tuple[Quote, ...] | None:
    """Read `rates` and `provider`: one quote per currency of the spec and no more, or None."""
    try:
        entries = {entry["currency"]: entry for entry in part["rates"]}
        if entries.keys() != set(spec.currencies):
            return None
        return tuple(_quote(spec.base, part["provider"], entries[currency]) for currency in spec.currencies)
    except (KeyError, TypeError, ValueError):
        return None


def _quote(base: str, provider: object, entry: Mapping[str, Any]) -> Quote:
    if not isinstance(provider, str):
        raise TypeError(provider)
    since = entry.get("publishedAt")
    return Quote(
        base=base,
        currency=entry["currency"],
        rate=f"{parse_rate(entry['rate']):f}",
        date=parse_date(entry["date"]),
        provider=provider,
        derived=bool(entry.get("derived")),
        since=since if isinstance(since, str) else None,
    )
