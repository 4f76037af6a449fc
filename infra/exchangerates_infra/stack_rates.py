"""The stack's own ExchangeRates: what the CRD, the operator and Kubernetes would refuse of them is refused here."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from exchangerates import names
from exchangerates.api import PROVIDERS_WITHOUT_HISTORY
from exchangerates.errors import InvalidSpec
from exchangerates.spec import CURRENCY_PATTERN, ExchangeRateSpec, parse_spec
from exchangerates_infra import crd_schema
from exchangerates_infra.args import RateArgs
from exchangerates_infra.config_reader import EXAMPLE, ConfigReader
from exchangerates_infra.crd import spec_schema

_OWN_KEYS: Final = ("name", "namespace", "formerName")
_GOOD: Final[Mapping[str, object]] = {"currency": "EUR", "currencies": ["EUR"], "date": "1999-01-04"}
"""In place of what is wrong, where leaving it out would be another mistake."""


def rates(reader: ConfigReader, providers: Sequence[str]) -> tuple[RateArgs, ...]:
    """Read the ExchangeRates that the environment always has."""
    watched = reader.dns_labels("watchNamespaces")
    found: dict[str, RateArgs] = {}
    holders: dict[tuple[str, str], str] = {}
    for index, entry in enumerate(reader.items("rates")):
        key = f"rates[{index}]"
        if not isinstance(entry, dict):
            reader.mistake(key, entry, "an object such as {currency: USD}")
            continue
        rate, target = _rate(reader, key, entry, providers)
        if watched and rate.namespace not in watched:
            reader.mistake(f"{key}.namespace", rate.namespace, f"one of watchNamespaces: {', '.join(watched)}")
        place = (rate.namespace, target)
        if any((rate.namespace, rate.name) == (other.namespace, other.name) for other in found.values()):
            reader.mistake(f"{key}.name", rate.name, f"another name: namespace {rate.namespace} has it already")
        elif place in holders:
            field = "name" if target == rate.name else "target.name"
            write = f"another name: {holders[place]} is published in this ConfigMap of namespace {rate.namespace}"
            reader.mistake(f"{key}.{field}", target, write)
        holders.setdefault(place, key)
        found[key] = rate
    _check_former_names(reader, found)
    return tuple(found.values())


def _check_former_names(reader: ConfigReader, found: Mapping[str, RateArgs]) -> None:
    """Check that nobody claims a rate that the stack still has."""
    held = {(rate.namespace, rate.name) for rate in found.values()}
    for key, rate in found.items():
        former = rate.former_name
        if former is not None and (not names.is_object_name(former) or (rate.namespace, former) in held):
            reader.mistake(f"{key}.formerName", former, "the name that it had before, which no rate has now")


def _rate(reader: ConfigReader, key: str, entry: Mapping[str, Any], providers: Sequence[str]) -> tuple[RateArgs, str]:
    """Check one entry; give it with the name of its ConfigMap."""
    spec = {field: value for field, value in entry.items() if field not in _OWN_KEYS}
    name, namespace = entry.get("name") or _default_name(reader, key, spec), entry.get("namespace") or "default"
    if not names.is_object_name(name):
        reader.mistake(f"{key}.name", name, names.OBJECT_NAME)
    if not names.is_namespace(namespace):
        reader.mistake(f"{key}.namespace", namespace, names.NAMESPACE)
    parsed = _parsed(reader, key, _without_misspelt(spec))
    schema = spec_schema()
    for field, value in spec.items():
        if field in schema:
            crd_schema.check(reader, f"{key}.{field}", value, schema[field])
        else:
            reader.unknown(f"{key}.{field}", (*_OWN_KEYS, *schema))
    _check_target(reader, f"{key}.target", spec.get("target"))
    asked = [parsed.provider] if parsed.provider else providers
    if not set(asked) <= set(providers):
        reader.mistake(f"{key}.provider", parsed.provider, f"one of this stack's providers: {', '.join(providers)}")
    _check_date(reader, key, parsed.date, asked)
    target = spec["target"].get("name", name) if isinstance(spec.get("target"), dict) else name
    former = str(entry["formerName"]) if entry.get("formerName") else None
    return RateArgs(str(name), spec, str(namespace), former), str(target)


def _default_name(reader: ConfigReader, key: str, spec: Mapping[str, Any]) -> str:
    currency = str(spec.get("currency"))
    if "currencies" in spec:
        reader.mistake(f"{key}.name", "", "a name for the set, such as exchange-rates")
    return f"exchange-rate-{currency.lower()}" if re.fullmatch(CURRENCY_PATTERN, currency) else "exchange-rate"


def _parsed(reader: ConfigReader, key: str, spec: Mapping[str, Any]) -> ExchangeRateSpec:
    """Check a spec by the operator's own rules; it stops at a mistake: what is wrong is put right, and it goes on."""
    left = dict(spec)
    while True:
        try:
            return parse_spec("exchange-rate", left, EXAMPLE)
        except InvalidSpec as error:
            reader.refused(f"{key}.{error.field}", error)
            head, _, tail = error.field.partition(".")
            if tail:
                left[head] = {field: value for field, value in left[head].items() if field != tail}
            elif head in _GOOD and left.get(head) != _GOOD[head]:
                left[head] = _GOOD[head]
            else:
                del left[head]


def _without_misspelt(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out the labels and annotations that `_check_target` tells: each of them; the operator stops at one."""
    target = spec.get("target")
    if not isinstance(target, dict):
        return spec
    kept = dict(target)
    for field in {"labels", "annotations"} & target.keys():
        if isinstance(target[field], dict):
            kept[field] = {
                key: value
                for key, value in target[field].items()
                if not isinstance(value, str) or names.is_entry(field, key, value)
            }
    return {**spec, "target": kept}


def _check_target(reader: ConfigReader, key: str, target: object) -> None:
    """Check what the API server would refuse of the ConfigMap."""
    if not isinstance(target, dict):
        return
    name, labels, annotations = (target.get(field) for field in ("name", "labels", "annotations"))
    if (entry := str(target.get("key", ""))) == "." or entry.startswith(".."):
        reader.mistake(f"{key}.key", entry, "a key that is not '.' and does not begin with '..'")
    if name is not None and not reader.told(f"{key}.name") and not names.is_object_name(name):
        reader.mistake(f"{key}.name", name, names.OBJECT_NAME)
    if isinstance(labels, dict) and not reader.told(f"{key}.labels"):
        reader.labels(f"{key}.labels", labels)
    for annotation in annotations if isinstance(annotations, dict) else ():
        if not names.is_annotation_key(annotation):
            reader.mistake(f"{key}.annotations", annotation, names.KEY)


def _check_date(reader: ConfigReader, key: str, date: dt.date | None, asked: Sequence[str]) -> None:
    """Check a day by what the operator would say of it: it has to be over, and somebody has to know it."""
    if date is None:
        return
    today = dt.datetime.now(dt.UTC).date()
    if date >= today:
        reader.mistake(f"{key}.date", str(date), f"a day that is over (UTC), such as '{today - dt.timedelta(days=1)}'")
    if asked and set(asked) <= set(PROVIDERS_WITHOUT_HISTORY):
        write = f"no date, or name a provider that keeps its history, such as ecb; {', '.join(asked)} does not"
        reader.mistake(f"{key}.date", str(date), write)
