"""The desired status. Pure: values and `now` in, dict out. What it says is read back by `memory`."""

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any, Final

from exchangerates import memory
from exchangerates.api import APPROVE_ANNOTATION, READY_REASONS, Condition, Reason
from exchangerates.bodies import MAX_REQUEST_CHARS
from exchangerates.errors import ReconcileError
from exchangerates.objects import ExchangeRate
from exchangerates.publication import Held, Publication, age_of_day_s, move
from exchangerates.rates import TIME, Quote, rfc3339
from exchangerates.spec import ExchangeRateSpec

_MEMORY: Final = ("base", "provider", "rates", "requestedDate", "confirmedDate", "held")
"""What is told of a publication, and read back."""
_CHANGING_MESSAGES: Final = frozenset({Reason.PROVIDER_UNAVAILABLE})
"""Reasons whose message follows the provider's mood: a new message alone is not worth a write to every object."""

_STILL: Final = ". What was published before is still there: "


def told(spec: ExchangeRateSpec, published: Publication) -> dict[str, Any]:
    """Give what a status tells of a publication, from which it is read back."""
    return {
        "base": published.base,
        "provider": published.provider,
        "rates": [_rate(quote) for quote in published.quotes],
        **({"requestedDate": spec.date.isoformat()} if spec.date else {}),
        **({"confirmedDate": published.confirmed.isoformat()} if published.confirmed else {}),
        **({"held": _held(published.held)} if published.held else {}),
    }


def retold(status: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Give a status that tells of another publication; nothing else in it changes."""
    return {**{name: part for name, part in status.items() if name not in _MEMORY}, **told}


def desired_published(
    owner: ExchangeRate, spec: ExchangeRateSpec, published: Publication, now: dt.datetime, *, refreshed: bool = False
) -> dict[str, Any]:
    """Give the status after the ConfigMap was found to hold the quotes; `refreshed` after a look for newer ones."""
    stale = published.age_s(now) > spec.max_age_s
    reason, message = _ready(owner, spec, published, stale=stale)
    return {
        "observedGeneration": owner.generation,
        "configMapName": spec.target.name,
        **told(spec, published),
        "conditions": [
            _condition(owner, Condition.READY, reason, message, now, holds=reason in READY_REASONS),
            _stale(owner, published.date, now, holds=stale),
        ],
        **_last_refresh(owner, now, refreshed=refreshed),
    }


def desired_failed(  # noqa: PLR0913 - all that a failed pass knows
    owner: ExchangeRate,
    spec: ExchangeRateSpec | None,
    error: ReconcileError,
    now: dt.datetime,
    *,
    refreshed: bool = False,
    holds: str = "",
    day: dt.date | None = None,
) -> dict[str, Any]:
    """Give the status after a pass that could not publish.

    What was published before stays in it only where it answers this spec: a rate beside another currency's name would
    be a wrong rate. `holds` says what the ConfigMap holds, and `day` for which day that was quoted: where it is no
    answer to this spec, Ready tells the one, and Stale judges by the other.
    """
    message = str(error)
    known = condition(owner.remembered, Condition.READY)
    told_before = (known.get("reason"), known.get("observedGeneration")) == (error.reason, owner.generation)
    if error.reason in _CHANGING_MESSAGES and told_before:
        message = str(known.get("message", message)).partition(_STILL)[0]
    published = memory.published(owner.remembered, spec) if spec is not None else None
    if published is None and holds:
        message += f"{_STILL}{holds}"
    ready = _condition(owner, Condition.READY, error.reason, message, now, holds=False)
    kept = ("configMapName", *_MEMORY) if published is not None else ("configMapName",)
    stale = [c for c in _conditions(owner.remembered) if c.get("type") == Condition.STALE]
    if spec is not None and published is not None:
        stale = [_stale(owner, published.date, now, holds=published.age_s(now) > spec.max_age_s)]
    elif spec is not None:
        stale = [_stale(owner, day, now, holds=age_of_day_s(day, now) > spec.max_age_s)] if day is not None else []
    return {
        "observedGeneration": owner.generation,
        **{name: owner.remembered[name] for name in kept if name in owner.remembered},
        "conditions": [ready, *stale],
        **_last_refresh(owner, now, refreshed=refreshed and error.reason != Reason.SUSPENDED),
    }


def acknowledged(owner: ExchangeRate) -> bool:
    """Tell whether the status shows the object's refresh annotation already, or there is none."""
    last = owner.remembered.get("lastRefresh")
    return owner.refresh_request is None or (isinstance(last, Mapping) and last.get("request") == owner.refresh_request)


def refreshed_s(owner: ExchangeRate, now: dt.datetime) -> float:
    """Give the seconds since the object's last wish for a newer quote was acknowledged; infinity without one."""
    last = owner.remembered.get("lastRefresh")
    try:
        when = dt.datetime.strptime(last["time"], TIME).replace(tzinfo=dt.UTC) if isinstance(last, Mapping) else None
    except (KeyError, TypeError, ValueError):
        return math.inf  # anybody may have written it
    return math.inf if when is None else max((now - when).total_seconds(), 0.0)


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
        return {"lastRefresh": {"request": owner.refresh_request, "time": rfc3339(now)}}
    known = owner.remembered.get("lastRefresh")
    return {} if known is None else {"lastRefresh": known}


def _ready(owner: ExchangeRate, spec: ExchangeRateSpec, published: Publication, *, stale: bool) -> tuple[Reason, str]:
    """Give the reason and the message of Ready for what is published."""
    target, held, idle = spec.target.name, "", _idle_approval(owner, published)
    if published.held is not None:
        held = _held_message(owner, spec, published, published.held)
    if stale:
        fate = "does not hold it any more (onStale: Withdraw)" if spec.withdraws else "keeps that rate"
        return Reason.RATE_TOO_OLD, (
            f"{published.provider} quotes nothing newer than {published.date} for {', '.join(spec.currencies)}, which "
            f"is older than maxAge ({spec.max_age_s / 3600:g}h); ConfigMap {target} {fate}. A newer one is looked for "
            f"by itself, or write a longer maxAge{held and f'. {held}'}{idle}"
        )
    pairs = ", ".join(f"1 {quote.base} = {quote.rate} {quote.currency}" for quote in published.quotes)
    holds = f"ConfigMap {target} holds {pairs}, quoted by {published.provider} for {published.date}"
    return (Reason.SPIKE_HELD, f"{holds}. {held}{idle}") if held else (Reason.PUBLISHED, f"{holds}{idle}")


def _idle_approval(owner: ExchangeRate, published: Publication) -> str:
    """Say that the approve annotation approves nothing; empty where it is what is published, or is about to be."""
    approval, held = owner.approval, published.held
    if approval is None or (held is not None and held.approval == approval):
        return ""
    if set(approval.split(",")) <= {quote.rate for quote in published.quotes}:
        return ""
    shown = f"{APPROVE_ANNOTATION}={approval[:MAX_REQUEST_CHARS]}"
    return f". The annotation {shown} approves nothing: {held.approval if held else 'no rate'} is held back"


def _held_message(owner: ExchangeRate, spec: ExchangeRateSpec, published: Publication, held: Held) -> str:
    moves = ", ".join(
        f"{new.rate} {new.currency} for {new.date} instead of {old.rate} ({move(old, new):.2f} %)"
        for new, old in zip(held.quotes, published.quotes, strict=True)
        if spec.max_change is not None and move(old, new) > spec.max_change
    )
    return (
        f"Held back: {held.quotes[0].provider} quotes {moves}, more than maxChangePercent ({spec.max_change}). It is "
        "published when a quote of a later day or of another provider confirms it, or by "
        f"`kubectl annotate --overwrite -n {owner.key.namespace} er {owner.key.name} "
        f"{APPROVE_ANNOTATION}={held.approval}`"
    )


def _held(held: Held) -> dict[str, Any]:
    return {
        "provider": held.quotes[0].provider,
        "since": held.since,
        "approval": held.approval,
        "rates": [_rate(quote) for quote in held.quotes],
    }


def _rate(quote: Quote) -> dict[str, Any]:
    entry = {"currency": quote.currency, "rate": quote.rate, "date": quote.date.isoformat(), "derived": quote.derived}
    return {**entry, **({"publishedAt": quote.since} if quote.since else {})}


def _stale(owner: ExchangeRate, day: dt.date, now: dt.datetime, *, holds: bool) -> dict[str, Any]:
    if holds:
        message = f"the rate was quoted for {day}, longer ago than maxAge"
        return _condition(owner, Condition.STALE, Reason.RATE_TOO_OLD, message, now, holds=True)
    return _condition(owner, Condition.STALE, Reason.RATE_FRESH, "the rate is not older than maxAge", now, holds=False)


def _condition(  # noqa: PLR0913 - a condition has these parts
    owner: ExchangeRate, kind: Condition, reason: Reason, message: str, now: dt.datetime, *, holds: bool
) -> dict[str, Any]:
    """Give a condition that keeps its transition time until its status flips."""
    value = "True" if holds else "False"
    known = condition(owner.remembered, kind)
    flipped = known.get("status") != value or "lastTransitionTime" not in known
    return {
        "type": str(kind),
        "status": value,
        "observedGeneration": owner.generation,
        "lastTransitionTime": rfc3339(now) if flipped else known["lastTransitionTime"],
        "reason": str(reason),
        "message": message,
    }
