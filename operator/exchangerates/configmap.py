"""The desired ConfigMap, and the patch that leads there. Pure: values in, dict out.

Its data is wholly the operator's: other keys are removed, since a consumer's `envFrom` would read them. Of labels and
annotations only those that the operator has set are its own; those of others are left alone, as are further owner
references.
"""

from collections.abc import Mapping
from typing import Any

from exchangerates.api import API_VERSION, KIND, Key
from exchangerates.observed import OWN_LABELS, ConfigMap, ExchangeRate
from exchangerates.rates import Quote
from exchangerates.spec import Target


def data_of(target: Target, quote: Quote) -> dict[str, str]:
    """Give the data of the ConfigMap that publishes a quote."""
    return {
        Key.BASE: quote.base,
        Key.CURRENCY: quote.currency,
        Key.DATE: quote.date.isoformat(),
        Key.PROVIDER: quote.provider,
        target.key: quote.rate,
    }


def labels_of(target: Target) -> Mapping[str, str]:
    """Give the labels that the operator sets."""
    return {**target.labels, **OWN_LABELS}


def desired_body(owner: ExchangeRate, target: Target, quote: Quote) -> dict[str, Any]:
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
        "data": data_of(target, quote),
    }


def owner_reference(owner: ExchangeRate) -> dict[str, Any]:
    """Give the reference by which garbage collection removes the ConfigMap with its owner."""
    return {"apiVersion": API_VERSION, "kind": KIND, "name": owner.key.name, "uid": owner.uid, "controller": True}


def patch_to(observed: ConfigMap, target: Target, quote: Quote) -> dict[str, Any] | None:
    """Give the merge patch that leads from an own ConfigMap to the desired one, or None where it is there already.

    It carries the uid and the resource version: the API server refuses it if the ConfigMap is not, to the letter, the
    one that was observed, for example because it belongs to somebody else by now.
    """
    changes = {
        "labels": _changes(observed.labels, labels_of(target), observed.own_labels),
        "annotations": _changes(observed.annotations, target.annotations, observed.own_annotations),
    }
    data = _changes(observed.data, data_of(target, quote), frozenset(observed.data))
    content = {"data": data, "binaryData": dict.fromkeys(observed.binary_keys)}
    patch = {name: change for name, change in content.items() if change}
    metadata = {name: change for name, change in changes.items() if change}
    if not patch and not metadata:
        return None
    guard = {"uid": observed.uid, "resourceVersion": str(observed.resource_version)}
    return {**patch, "metadata": {**guard, **metadata}}


def _changes(observed: Mapping[str, str], desired: Mapping[str, str], own: frozenset[str]) -> dict[str, str | None]:
    """Give the merge patch of one map: what differs, and null for own keys that are not wanted any more."""
    changes: dict[str, str | None] = {key: value for key, value in desired.items() if observed.get(key) != value}
    changes |= dict.fromkeys((own & observed.keys()) - desired.keys())
    return changes
