"""What a valid ExchangeRate spec is: raw dict and the stack's defaults in, a frozen value out.

The CRD refuses most mistakes at the door; this module is total all the same, because objects stored under an older CRD
come without its validation. It is also what the Pulumi program checks the stack's rates with.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from exchangerates.api import PROVIDERS
from exchangerates.errors import InvalidSpec

CURRENCY_PATTERN: Final = "^[A-Z]{3}$"
"""ISO 4217's form. There is no list of codes: which are quoted is the rate provider's word."""

DURATION_PATTERN: Final = "^([0-9]{1,6}(h|m|s))+$"
"""Go's durations in whole hours, minutes and seconds, as `kubectl` users write them."""

MIN_REFRESH_INTERVAL_S: Final = 60.0
MAX_REFRESH_INTERVAL_S: Final = 720 * 3600.0
MIN_MAX_AGE_S: Final = 3600.0
MAX_MAX_AGE_S: Final = 87600 * 3600.0

_UNITS_S: Final = {"h": 3600.0, "m": 60.0, "s": 1.0}
_MAX_DURATION_CHARS: Final = 16
_NAME_PATTERN: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_MAX_NAME_CHARS: Final = 253


@dataclass(frozen=True, slots=True)
class Defaults:
    """What an object gets for the fields that it leaves out; the stack decides.

    Attributes:
        base: Base currency, such as `EUR`.
        providers: The chain of rate providers, first choice first; also the only ones that are enabled.
        refresh_interval_s: Seconds between two looks for a newer quote.
        max_age_s: Age of a quote, by its own date, after which it is stale, in seconds.
    """

    base: str
    providers: tuple[str, ...]
    refresh_interval_s: float
    max_age_s: float


@dataclass(frozen=True, slots=True)
class ExchangeRateSpec:
    """A spec with its defaults resolved.

    Attributes:
        currency: The quote currency.
        base: The base currency: a rate is `currency` units per one `base`.
        provider: The pinned rate provider, or None for the stack's chain.
        refresh_interval_s: Seconds between two looks for a newer quote.
        max_age_s: Age of a quote, by its own date, after which it is stale, in seconds.
        target_name: The name of the ConfigMap.
    """

    currency: str
    base: str
    provider: str | None
    refresh_interval_s: float
    max_age_s: float
    target_name: str


def parse_duration(text: str) -> float:
    """Give the seconds of a Go duration in whole hours, minutes and seconds.

    Raises:
        ValueError: The text is not such a duration; the message says what to write.
    """
    if not re.fullmatch(DURATION_PATTERN, text) or len(text) > _MAX_DURATION_CHARS:
        raise ValueError(f"{text!r} is not a duration; write hours, minutes and seconds, such as 90s, 30m, 1h or 168h")
    return sum(int(number) * _UNITS_S[unit] for number, unit in re.findall(r"([0-9]+)([hms])", text))


def parse_spec(name: str, raw: Mapping[str, Any], defaults: Defaults) -> ExchangeRateSpec:
    """Check a raw spec and resolve its defaults.

    Args:
        name: The object's name, which is also its ConfigMap's where the spec gives none.
        raw: The object's `spec` as the API server returns it.
        defaults: The stack's defaults.

    Raises:
        InvalidSpec: The first field that is wrong, with what to write instead.
    """
    provider = raw.get("provider")
    if provider is not None and provider not in PROVIDERS:
        raise InvalidSpec("provider", f"{provider!r} is no known rate provider; write one of {', '.join(PROVIDERS)}")
    return ExchangeRateSpec(
        currency=_currency(raw, "currency", None),
        base=_currency(raw, "base", defaults.base),
        provider=provider,
        refresh_interval_s=_duration(
            raw, "refreshInterval", defaults.refresh_interval_s, MIN_REFRESH_INTERVAL_S, MAX_REFRESH_INTERVAL_S
        ),
        max_age_s=_duration(raw, "maxAge", defaults.max_age_s, MIN_MAX_AGE_S, MAX_MAX_AGE_S),
        target_name=_target_name(raw, name),
    )


def _currency(raw: Mapping[str, Any], field: str, default: str | None) -> str:
    value = raw.get(field, default)
    if not isinstance(value, str) or not re.fullmatch(CURRENCY_PATTERN, value):
        shown = "is missing" if value is None else f"{value!r} is not a currency code"
        raise InvalidSpec(field, f"{shown}; write three capital letters, such as USD")
    return value


def _duration(raw: Mapping[str, Any], field: str, default_s: float, min_s: float, max_s: float) -> float:
    value = raw.get(field)
    if value is None:
        return default_s
    try:
        seconds = parse_duration(str(value))
    except ValueError as error:
        raise InvalidSpec(field, str(error)) from error
    if not min_s <= seconds <= max_s:
        raise InvalidSpec(field, f"{value!r} must be from {_short(min_s)} to {_short(max_s)}")
    return seconds


def _short(seconds: float) -> str:
    return f"{seconds / 3600:.0f}h" if seconds >= _UNITS_S["h"] else f"{seconds / 60:.0f}m"


def _target_name(raw: Mapping[str, Any], default: str) -> str:
    target = raw.get("target") or {}
    value = target.get("name", default) if isinstance(target, Mapping) else target
    if not isinstance(value, str) or not _NAME_PATTERN.fullmatch(value) or len(value) > _MAX_NAME_CHARS:
        raise InvalidSpec(
            "target.name", f"{value!r} is not a ConfigMap name; write lower-case letters, digits, '-' and '.'"
        )
    return value
