"""What an object's own ConfigMaps hold, by what was observed: to compare, to tell, and to go on from after a start."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from exchangerates import configmap, memory
from exchangerates.api import Key
from exchangerates.objects import ExchangeRate, ObjectKey
from exchangerates.observed import Observed
from exchangerates.spec import ExchangeRateSpec
from exchangerates.target import Target


def data(observed: Observed, owner: ExchangeRate, name: str) -> Mapping[str, str]:
    """Give the data of the object's own ConfigMap of this name, empty where there is none."""
    held = observed.config_maps.get(ObjectKey(owner.key.namespace, name))
    return held.data if held is not None and held.owner_uid == owner.uid else {}


def target(observed: Observed, owner: ExchangeRate, spec: ExchangeRateSpec) -> Target:
    """Give the target of the ConfigMap that the object has, which may still be of its former name."""
    former = owner.remembered.get("configMapName")
    if data(observed, owner, spec.target.name) or not isinstance(former, str):
        return spec.target
    return replace(spec.target, name=former)


def told(observed: Observed, owner: ExchangeRate) -> str:
    """Say what the object's ConfigMap holds, by the name that it was published under; empty for no rate."""
    name = str(owner.remembered.get("configMapName"))
    rate = configmap.written_rate(data(observed, owner, name))
    return f"ConfigMap {name} holds {rate}" if rate else ""


def untold(observed: Observed, owner: ExchangeRate) -> Mapping[str, Any] | None:
    """Give what was published in the object's ConfigMaps and its status does not tell yet, as a status tells it."""
    documents = (found.data.get(Key.QUOTE, "") for found in observed.owned_by(owner) if found.own_quote)
    found = filter(None, map(memory.of_document, documents))
    later = (status for status in found if memory.is_later(status, owner.remembered))
    return max(later, key=lambda status: max(entry["publishedAt"] for entry in status["rates"]), default=None)
