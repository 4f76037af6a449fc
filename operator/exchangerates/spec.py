"""What a valid ExchangeRate spec is: raw dict and the stack's defaults in, a frozen value out.

The CRD refuses most mistakes at the door; this module is total all the same, because objects stored under an older CRD
come without its validation. It is also what the Pulumi program checks the stack's rates with.
"""

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from exchangerates.api import PROVIDERS
from exchangerates.errors import InvalidSpec
from exchangerates.target import Target, parse_target, truth

CURRENCY_PATTERN: Final = "^[A-Z]{3}$"
"""ISO 4217's form. There is no list of codes: which are quoted is the rate provider's word."""

DURATION_PATTERN: Final = "^([0-9]{1,6}(h|m|s))+$"
"""Go's durations in whole hours, minutes and seconds, as `kubectl` users write them."""

MIN_FETCH_INTERVAL_S: Final = 1.0
"""Of a stack's `minFetchIntervals`: a table has to last until those who waited for it have read it."""
DATE_PATTERN: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
PERCENT_PATTERN: Final = "^[0-9]{1,4}([.][0-9]{1,6})?$"
MAX_PERCENT: Final = 1000

FIRST_DATE: Final = dt.date(1999, 1, 4)
"""The first day that the ECB published rates for."""
MAX_CURRENCIES: Final = 64

MIN_REFRESH_INTERVAL_S: Final = 60.0
MAX_REFRESH_INTERVAL_S: Final = 720 * 3600.0
MIN_MAX_AGE_S: Final = 3600.0
MAX_MAX_AGE_S: Final = 87600 * 3600.0

_UNITS_S: Final = {"h": 3600.0, "m": 60.0, "s": 1.0}
_MAX_DURATION_CHARS: Final = 16
_NOT_WITH_DATE: Final = ("refreshInterval", "maxAge", "onStale", "minChangePercent", "maxChangePercent")


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
        currencies: The quote currencies, in the order of the spec; never empty.
        is_set: Whether each rate has its currency's code as the key; there may be one in a set, too.
        base: The base currency: a rate is quote currency units per one `base`.
        provider: The pinned rate provider, or None for the stack's chain.
        refresh_interval_s: Seconds between two looks for a newer quote.
        max_age_s: Age of a quote, by its own date, after which it is stale, in seconds.
        suspend: Whether the operator is to leave the object and its ConfigMap as they are.
        target: Where the rate is published.
        withdraws: Whether a stale rate is taken out of the ConfigMap.
        date: The day whose rate is wanted, once and for all, or None for the newest. Its `max_age_s` is infinite.
        min_change: The least move, in percent of the published rate, that is published; None for any.
        max_change: The largest move, in percent of the published rate, that is published at once; None for any.
    """

    currencies: tuple[str, ...]
    base: str
    provider: str | None
    refresh_interval_s: float
    max_age_s: float
    suspend: bool
    target: Target
    is_set: bool = False
    withdraws: bool = False
    min_change: Decimal | None = None
    max_change: Decimal | None = None
    date: dt.date | None = None

    @property
    def pair(self) -> str:
        """The pair of currencies, as text for a message."""
        return f"{self.base} to {', '.join(self.currencies)}"


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
    date = _date(raw)
    min_change, max_change = _percent(raw, "minChangePercent"), _percent(raw, "maxChangePercent")
    if min_change is not None and max_change is not None and min_change >= max_change:
        raise InvalidSpec("minChangePercent", f"{min_change} must be less than maxChangePercent, {max_change}")
    return ExchangeRateSpec(
        currencies=_currencies(raw),
        is_set=raw.get("currencies") is not None,
        base=_currency(raw, "base", defaults.base),
        provider=provider,
        refresh_interval_s=_duration(
            raw, "refreshInterval", defaults.refresh_interval_s, MIN_REFRESH_INTERVAL_S, MAX_REFRESH_INTERVAL_S
        ),
        max_age_s=math.inf
        if date is not None
        else _duration(raw, "maxAge", defaults.max_age_s, MIN_MAX_AGE_S, MAX_MAX_AGE_S),
        suspend=truth(raw, "suspend", "suspend"),
        target=parse_target(raw, name),
        withdraws=_choice(raw, "onStale", ("Keep", "Withdraw")) == "Withdraw",
        min_change=min_change,
        max_change=max_change,
        date=date,
    )


def _currencies(raw: Mapping[str, Any]) -> tuple[str, ...]:
    several = raw.get("currencies")
    if several is None:
        return (_currency(raw, "currency", None),)
    if raw.get("currency") is not None:
        raise InvalidSpec("currencies", "write either currency or currencies, and not both")
    if not isinstance(several, list) or not several or len(several) > MAX_CURRENCIES:
        raise InvalidSpec("currencies", f"{several!r} is no list of 1 to {MAX_CURRENCIES} codes; write [USD, GBP]")
    codes = tuple(_currency({"currencies": code}, "currencies", None) for code in several)
    if len(set(codes)) < len(codes):
        raise InvalidSpec("currencies", f"{', '.join(codes)}: a code is there twice; write each once")
    if isinstance(raw.get("target"), Mapping) and "key" in raw["target"]:
        raise InvalidSpec("target.key", "with currencies each rate's key is its currency's code; write no target.key")
    return codes


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


def _date(raw: Mapping[str, Any]) -> dt.date | None:
    value = raw.get("date")
    if value is None:
        return None
    for field in _NOT_WITH_DATE:
        if field in raw:
            raise InvalidSpec(field, "a rate of one day does not change; write either this field or date")
    try:
        date = dt.date.fromisoformat(value if isinstance(value, str) and re.fullmatch(DATE_PATTERN, value) else "")
    except ValueError:
        raise InvalidSpec("date", f"{value!r} is no day of the calendar; write one such as '2024-06-28'") from None
    if date < FIRST_DATE:
        raise InvalidSpec("date", f"{value} must be {FIRST_DATE} or later: no provider knows of more")
    return date


def _percent(raw: Mapping[str, Any], field: str) -> Decimal | None:
    value = raw.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(PERCENT_PATTERN, value) or not 0 < Decimal(value) <= MAX_PERCENT:
        raise InvalidSpec(
            field, f"{value!r} is no percentage; write a decimal number in quotes, such as '0.5', at most 1000"
        )
    return Decimal(value)


def _choice(raw: Mapping[str, Any], field: str, choices: tuple[str, ...]) -> str:
    value = raw.get(field, choices[0])
    if value not in choices:
        raise InvalidSpec(field, f"{value!r} is not known; write one of {', '.join(choices)}")
    return str(value)
