"""The desired status, and what it tells of an earlier pass. Pure: values and `now` in, dict out.

The status is also the operator's memory over restarts: the published quote is read back from it.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from exchangerates.api import Condition, Reason
from exchangerates.errors import ReconcileError
from exchangerates.observed import ExchangeRate
from exchangerates.rates import Quote, parse_date, parse_rate
from exchangerates.spec import ExchangeRateSpec

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_CHANGING_MESSAGES: Final = frozenset({Reason.PROVIDER_UNAVAILABLE})
"""Reasons whose message follows the provider's mood: a new message alone is not worth a write to every object."""


def published_quote(status: Mapping[str, Any], spec: ExchangeRateSpec) -> Quote | None:
    """Give the quote that an earlier pass published, where it answers this spec; else None."""
    try:
        entry = next(entry for entry in status["rates"] if entry["currency"] == spec.currency)
        quote = Quote(
            base=status["base"],
            currency=entry["currency"],
            rate=f"{parse_rate(entry['rate']):f}",
            date=parse_date(entry["date"]),
            provider=status["provider"],
            derived=bool(entry.get("derived")),
        )
    except (KeyError, StopIteration, TypeError, ValueError):
        return None
    return quote if quote.base == spec.base and spec.provider in (None, quote.provider) else None


def last_publication(status: Mapping[str, Any]) -> tuple[str, dt.datetime] | None:
    """Give the rate provider of the published quote and when it was published first; None where it is not told."""
    try:
        (entry,) = status["rates"]
        return str(status["provider"]), dt.datetime.strptime(entry["publishedAt"], _TIME).replace(tzinfo=dt.UTC)
    except (KeyError, TypeError, ValueError):
        return None


def age_s(quote: Quote, now: dt.datetime) -> float:
    """Give the seconds since the start of the quote's own day, UTC; negative for tomorrow's."""
    return (now - dt.datetime.combine(quote.date, dt.time(), dt.UTC)).total_seconds()


def desired_published(
    owner: ExchangeRate, spec: ExchangeRateSpec, quote: Quote, now: dt.datetime, *, refreshed: bool = False
) -> dict[str, Any]:
    """Give the status after the ConfigMap was found to hold the quote; `refreshed` after a look for a newer one."""
    stale = age_s(quote, now) > spec.max_age_s
    pair = f"1 {quote.base} = {quote.rate} {quote.currency}"
    if stale:
        age_h = spec.max_age_s / 3600
        message = (
            f"{quote.provider} quotes nothing newer than {quote.date} for {spec.currency}, which is older than maxAge "
            f"({age_h:g}h); ConfigMap {spec.target.name} keeps that rate"
        )
        ready = _condition(owner, Condition.READY, Reason.RATE_TOO_OLD, message, now, holds=False)
    else:
        message = f"ConfigMap {spec.target.name} holds {pair}, quoted by {quote.provider} for {quote.date}"
        ready = _condition(owner, Condition.READY, Reason.PUBLISHED, message, now, holds=True)
    return {
        "observedGeneration": owner.generation,
        "base": quote.base,
        "provider": quote.provider,
        "configMapName": spec.target.name,
        "rates": [_rate(owner, spec, quote, now)],
        "conditions": [ready, _stale(owner, quote, now, holds=stale)],
        **_last_refresh(owner, now, refreshed=refreshed),
    }


def desired_failed(
    owner: ExchangeRate,
    spec: ExchangeRateSpec | None,
    error: ReconcileError,
    now: dt.datetime,
    *,
    refreshed: bool = False,
) -> dict[str, Any]:
    """Give the status after a pass that could not publish.

    What was published before stays in it only where it answers this spec: a rate beside another currency's name would
    be a wrong rate.
    """
    message = str(error)
    known = condition(owner.status, Condition.READY)
    if error.reason in _CHANGING_MESSAGES and known.get("reason") == error.reason:
        message = known.get("message", message)
    ready = _condition(owner, Condition.READY, error.reason, message, now, holds=False)
    answers = spec is not None and published_quote(owner.status, spec) is not None
    kept = ("configMapName", "base", "provider", "rates") if answers else ("configMapName",)
    return {
        "observedGeneration": owner.generation,
        **{name: owner.status[name] for name in kept if name in owner.status},
        "conditions": [ready, *(c for c in _conditions(owner.status) if c.get("type") == Condition.STALE)],
        **_last_refresh(owner, now, refreshed=refreshed and error.reason != Reason.SUSPENDED),
    }


def acknowledged(owner: ExchangeRate) -> bool:
    """Tell whether the status shows the object's refresh annotation already, or there is none."""
    last = owner.status.get("lastRefresh")
    return owner.refresh_request is None or (isinstance(last, Mapping) and last.get("request") == owner.refresh_request)


def condition(status: Mapping[str, Any], kind: Condition) -> Mapping[str, Any]:
    """Give a condition of a stored status, or an empty mapping."""
    return next((c for c in _conditions(status) if c.get("type") == kind), {})


def patch_to(observed: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the merge patch from one status to another, or None where they are equal."""
    patch = {name: value for name, value in desired.items() if observed.get(name) != value}
    patch |= dict.fromkeys(observed.keys() - desired.keys())
    return patch or None


def _conditions(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    conditions = status.get("conditions")
    return conditions if isinstance(conditions, list) else []


def _last_refresh(owner: ExchangeRate, now: dt.datetime, *, refreshed: bool) -> dict[str, Any]:
    if refreshed and not acknowledged(owner):
        return {"lastRefresh": {"request": owner.refresh_request, "time": now.strftime(_TIME)}}
    return {"lastRefresh": owner.status["lastRefresh"]} if "lastRefresh" in owner.status else {}


def _rate(owner: ExchangeRate, spec: ExchangeRateSpec, quote: Quote, now: dt.datetime) -> dict[str, Any]:
    """Give the entry of `rates`; the time of publication stays as long as the quote does."""
    entry = {"currency": quote.currency, "rate": quote.rate, "date": quote.date.isoformat(), "derived": quote.derived}
    if published_quote(owner.status, spec) == quote:
        known: Mapping[str, Any] = owner.status["rates"][0]
        return {**entry, **{name: known[name] for name in ("publishedAt",) if name in known}}
    return {**entry, "publishedAt": now.strftime(_TIME)}


def _stale(owner: ExchangeRate, quote: Quote, now: dt.datetime, *, holds: bool) -> dict[str, Any]:
    if holds:
        return _condition(owner, Condition.STALE, Reason.RATE_TOO_OLD, f"quoted for {quote.date}", now, holds=True)
    return _condition(owner, Condition.STALE, Reason.RATE_FRESH, "not older than maxAge", now, holds=False)


def _condition(  # noqa: PLR0913 - a condition has these parts
    owner: ExchangeRate, kind: Condition, reason: Reason, message: str, now: dt.datetime, *, holds: bool
) -> dict[str, Any]:
    """Give a condition that keeps its transition time until its status flips."""
    value = "True" if holds else "False"
    known = condition(owner.status, kind)
    flipped = known.get("status") != value or "lastTransitionTime" not in known
    return {
        "type": str(kind),
        "status": value,
        "observedGeneration": owner.generation,
        "lastTransitionTime": now.strftime(_TIME) if flipped else known["lastTransitionTime"],
        "reason": str(reason),
        "message": message,
    }
