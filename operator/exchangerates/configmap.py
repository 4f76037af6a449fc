"""The desired ConfigMap, and the patch that leads there. Pure: values in, dict out.

Its data is wholly the operator's: other keys are removed, since a consumer's `envFrom` would read them. Labels,
annotations and further owner references of others are left alone.
"""

from typing import Any

from exchangerates.api import API_VERSION, FIELD_MANAGER, KIND, MANAGED_BY_LABEL, Key
from exchangerates.observed import ConfigMap, ExchangeRate
from exchangerates.rates import Quote


def data_of(quote: Quote) -> dict[str, str]:
    """Give the data of the ConfigMap that publishes a quote."""
    return {
        Key.RATE: quote.rate,
        Key.BASE: quote.base,
        Key.CURRENCY: quote.currency,
        Key.DATE: quote.date.isoformat(),
        Key.PROVIDER: quote.provider,
    }


def desired_body(owner: ExchangeRate, name: str, data: dict[str, str]) -> dict[str, Any]:
    """Give the whole ConfigMap as it is first written.

    `blockOwnerDeletion` is absent on purpose: setting it takes rights on the owner's finalizers.
    """
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": owner.key.namespace,
            "labels": {MANAGED_BY_LABEL: FIELD_MANAGER},
            "ownerReferences": [owner_reference(owner)],
        },
        "data": data,
    }


def owner_reference(owner: ExchangeRate) -> dict[str, Any]:
    """Give the reference by which garbage collection removes the ConfigMap with its owner."""
    return {"apiVersion": API_VERSION, "kind": KIND, "name": owner.key.name, "uid": owner.uid, "controller": True}


def patch_to(observed: ConfigMap, data: dict[str, str]) -> dict[str, Any] | None:
    """Give the merge patch that leads from an own ConfigMap to the desired one, or None where it is there already.

    The patch carries the uid: the API server refuses it with 422 if a stranger has taken the name meanwhile.
    """
    metadata: dict[str, Any] = {"uid": observed.uid}
    if not observed.labelled:
        metadata["labels"] = {MANAGED_BY_LABEL: FIELD_MANAGER}
    changes: dict[str, str | None] = {key: value for key, value in data.items() if observed.data.get(key) != value}
    changes |= dict.fromkeys(observed.data.keys() - data.keys())
    if observed.labelled and not changes:
        return None
    return {"metadata": metadata, "data": changes}
