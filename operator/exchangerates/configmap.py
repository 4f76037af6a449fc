"""The desired ConfigMap, and the patch that leads there. Pure: values in, dict out.

Its data is wholly the operator's: other keys are removed, since a consumer's `envFrom` would read them. Of labels and
annotations only those that the operator has set are its own; those of others are left alone, as are further owner
references.
"""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Final

from exchangerates.api import API_VERSION, KIND, Key
from exchangerates.objects import OWN_LABELS, ConfigMap, ExchangeRate
from exchangerates.publication import Publication
from exchangerates.rates import Quote, parse_date
from exchangerates.spec import ExchangeRateSpec
from exchangerates.target import Target

_JSON: Final = json.JSONEncoder(separators=(",", ":"))
_MAX_TOLD_CHARS: Final = 100
_ABOUT: Final = frozenset(Key) - {Key.RATE, Key.QUOTE}


def data_of(spec: ExchangeRateSpec, published: Publication) -> dict[str, str]:
    """Give the data of the ConfigMap that publishes a rate or a set; a rate's key wins over one of the same name."""
    codes, common = spec.currencies, {"base": published.base, "provider": published.provider}
    if spec.is_set:
        document: dict[str, Any] = {**common, "rates": {quote.currency: _parts(quote) for quote in published.quotes}}
        pair: dict[str, str] = {Key.CURRENCIES: ",".join(codes)}
        rates = {quote.currency: quote.rate for quote in published.quotes}
    else:
        (quote,) = published.quotes
        document = {**common, "currency": quote.currency, **_parts(quote)}
        pair = {Key.CURRENCY: quote.currency}
        rates = {spec.target.key: quote.rate}
    return {
        Key.BASE: published.base,
        **pair,
        **_provenance(published),
        Key.QUOTE: _JSON.encode(document),
        **rates,
    }


def withdrawn(data: Mapping[str, str], target: Target) -> dict[str, str]:
    """Give the data without any rate: what is left says what it was and where it came from."""
    return {key: value for key, value in data.items() if key in _ABOUT and key != target.key}


def written_date(data: Mapping[str, str]) -> dt.date | None:
    """Give the day of the rate that a ConfigMap holds, or None."""
    try:
        return parse_date(data.get(Key.DATE))
    except ValueError:
        return None


def written_rate(data: Mapping[str, str]) -> str:
    """Say which rate a ConfigMap holds: its pair, day and provider; empty where it holds none."""
    if Key.QUOTE not in data or written_date(data) is None:
        return ""
    # Somebody else may have written anything there, of any length.
    told = {key: value[:_MAX_TOLD_CHARS] for key, value in data.items() if key in _ABOUT}
    codes = told.get(Key.CURRENCY) or told.get(Key.CURRENCIES, "").replace(",", ", ")
    return f"{told.get(Key.BASE)} to {codes}, quoted by {told.get(Key.PROVIDER)} for {told[Key.DATE]}"


def written_since(data: Mapping[str, str], spec: ExchangeRateSpec, quotes: tuple[Quote, ...]) -> str | None:
    """Give since when a ConfigMap holds just these quotes, or None where it does not or does not tell.

    It is asked where the status does not know: a process can end after the one write and before the other, and for
    which day the rate was wanted only the status tells.
    """
    since = data.get(Key.PUBLISHED_AT)
    return since if since and data == data_of(spec, Publication(quotes).published_since(since)) else None


def labels_of(target: Target) -> Mapping[str, str]:
    """Give the labels that the operator sets."""
    return {**target.labels, **OWN_LABELS}


def desired_body(owner: ExchangeRate, target: Target, data: Mapping[str, str]) -> dict[str, Any]:
    """Give the whole ConfigMap as it is first written.

    `blockOwnerDeletion` is absent on purpose: setting it takes rights on the owner's finalizers.
    """
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": target.name,
            "namespace": owner.key.namespace,
            "labels": labels_of(target),
            "ownerReferences": [owner_reference(owner)],
            **({"annotations": target.annotations} if target.annotations else {}),
        },
        "data": data,
        **({"immutable": True} if target.immutable else {}),
    }


def owner_reference(owner: ExchangeRate) -> dict[str, Any]:
    """Give the reference by which garbage collection removes the ConfigMap with its owner."""
    return {"apiVersion": API_VERSION, "kind": KIND, "name": owner.key.name, "uid": owner.uid, "controller": True}


def patch_to(observed: ConfigMap, target: Target, data: Mapping[str, str]) -> dict[str, Any] | None:
    """Give the merge patch that leads from an own ConfigMap to the desired one, or None where it is there already.

    It carries the uid and the resource version: the API server refuses it if the ConfigMap is not, to the letter, the
    one that was observed, for example because it belongs to somebody else by now.
    """
    changes = {
        "labels": _changes(observed.labels, labels_of(target), observed.own_labels),
        "annotations": _changes(observed.annotations, target.annotations, observed.own_annotations),
    }
    changed = _changes(observed.data, data, frozenset(observed.data))
    content = {"data": changed, "binaryData": dict.fromkeys(observed.binary_keys)}
    patch: dict[str, Any] = {name: change for name, change in content.items() if change}
    if target.immutable and not observed.immutable:
        patch["immutable"] = True
    metadata = {name: change for name, change in changes.items() if change}
    if not patch and not metadata:
        return None
    guard = {"uid": observed.uid, "resourceVersion": str(observed.resource_version)}
    return {**patch, "metadata": {**guard, **metadata}}


def _provenance(published: Publication) -> dict[str, str]:
    """Give where the quotes come from; nothing in it changes while they do not."""
    return {
        Key.DATE: published.date.isoformat(),
        Key.PROVIDER: published.provider,
        Key.DERIVED: str(published.derived).lower(),
        **({Key.PUBLISHED_AT: published.since} if published.since else {}),
    }


def _parts(quote: Quote) -> dict[str, str | bool]:
    """Give what one quote's document says; the rate is text, since JSON's numbers are floats to many readers."""
    parts: dict[str, str | bool] = {"rate": quote.rate, "date": quote.date.isoformat(), "derived": quote.derived}
    return {**parts, **({"publishedAt": quote.since} if quote.since else {})}


def _changes(observed: Mapping[str, str], desired: Mapping[str, str], own: frozenset[str]) -> dict[str, str | None]:
    """Give the merge patch of one map: what differs, and null for own keys that are not wanted any more."""
    changes: dict[str, str | None] = {key: value for key, value in desired.items() if observed.get(key) != value}
    changes |= dict.fromkeys((own & observed.keys()) - desired.keys())
    return changes
