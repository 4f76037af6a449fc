"""What the watches and lists have shown of the cluster, slimmed to what a reconcile needs.

Raw bodies go in; frozen values come out. Two sources feed it, and neither is in order with the other: only the newer
resource version counts (they are comparable numbers: Kubernetes promises it since 1.35, etcd has always made it so).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from exchangerates.api import FIELD_MANAGER, KIND, MANAGED_BY_LABEL


class ObjectKey(NamedTuple):
    """Where an object lives."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """An observed ExchangeRate.

    Attributes:
        spec: As stored, not validated.
        status: As stored, not validated.
        deleting: Whether it has a deletion timestamp.
    """

    key: ObjectKey
    uid: str
    resource_version: int
    generation: int
    deleting: bool
    spec: Mapping[str, Any]
    status: Mapping[str, Any]

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "ExchangeRate":
        """Slim a body as the API server returns it."""
        meta = body["metadata"]
        spec, status = body.get("spec"), body.get("status")
        return cls(
            key=ObjectKey(meta["namespace"], meta["name"]),
            uid=meta["uid"],
            resource_version=int(meta["resourceVersion"]),
            generation=meta.get("generation", 0),
            deleting="deletionTimestamp" in meta,
            spec=spec if isinstance(spec, Mapping) else {},
            status=status if isinstance(status, Mapping) else {},
        )


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """An observed ConfigMap.

    Attributes:
        owner_uid: The uid of its controller, or None.
        owner_name: The name of its controller where that is an ExchangeRate, or None.
        labelled: Whether it carries the label by which the operator watches.
    """

    key: ObjectKey
    uid: str
    resource_version: int
    owner_uid: str | None
    owner_name: str | None
    labelled: bool
    immutable: bool
    data: Mapping[str, str]

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "ConfigMap":
        """Slim a body as the API server returns it."""
        meta = body["metadata"]
        references: list[Mapping[str, Any]] = meta.get("ownerReferences") or []
        owner = next((ref for ref in references if ref.get("controller")), {})
        return cls(
            key=ObjectKey(meta["namespace"], meta["name"]),
            uid=meta["uid"],
            resource_version=int(meta["resourceVersion"]),
            owner_uid=owner.get("uid"),
            owner_name=owner.get("name") if owner.get("kind") == KIND else None,
            labelled=(meta.get("labels") or {}).get(MANAGED_BY_LABEL) == FIELD_MANAGER,
            immutable=bool(body.get("immutable")),
            data=body.get("data") or {},
        )


@dataclass(slots=True)
class Observed:
    """Both kinds, by key. Every `note_*` answers whether it changed anything."""

    exchange_rates: dict[ObjectKey, ExchangeRate] = field(default_factory=dict)
    config_maps: dict[ObjectKey, ConfigMap] = field(default_factory=dict)
    _owned: defaultdict[str, set[ObjectKey]] = field(default_factory=lambda: defaultdict(set))

    def note_exchange_rate(self, seen: ExchangeRate) -> bool:
        """Take up an ExchangeRate unless a newer one is known."""
        known = self.exchange_rates.get(seen.key)
        if known is not None and seen.resource_version <= known.resource_version:
            return False
        self.exchange_rates[seen.key] = seen
        return True

    def note_config_map(self, seen: ConfigMap) -> bool:
        """Take up a ConfigMap unless a newer one is known."""
        known = self.config_maps.get(seen.key)
        if known is not None and seen.resource_version <= known.resource_version:
            return False
        self.drop_config_map(seen.key)
        self.config_maps[seen.key] = seen
        if seen.owner_uid is not None:
            self._owned[seen.owner_uid].add(seen.key)
        return True

    def drop_exchange_rate(self, key: ObjectKey, *, uid: str | None = None) -> bool:
        """Forget an ExchangeRate; with a uid, only that one."""
        known = self.exchange_rates.get(key)
        if known is None or uid not in (None, known.uid):
            return False
        del self.exchange_rates[key]
        return True

    def drop_config_map(self, key: ObjectKey, *, uid: str | None = None) -> bool:
        """Forget a ConfigMap; with a uid, only that one."""
        known = self.config_maps.get(key)
        if known is None or uid not in (None, known.uid):
            return False
        del self.config_maps[key]
        if known.owner_uid is not None:
            owned = self._owned[known.owner_uid]
            owned.discard(key)
            if not owned:
                del self._owned[known.owner_uid]
        return True

    def owned_by(self, uid: str) -> Iterator[ConfigMap]:
        """Give the known ConfigMaps whose controller has this uid."""
        for key in tuple(self._owned.get(uid, ())):
            yield self.config_maps[key]
