"""What the watches and lists have shown of the cluster, slimmed to what a reconcile needs.

Raw bodies go in; frozen values come out. Two sources feed it, and neither is in order with the other: only the newer
resource version counts (they are comparable numbers: Kubernetes promises it since 1.35, etcd has always made it so).
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeVar

from exchangerates import bounded
from exchangerates.api import APPROVE_ANNOTATION, FIELD_MANAGER, KIND, MANAGED_BY_LABEL, REFRESH_ANNOTATION

MAX_REQUEST_CHARS: Final = 64
"""What is remembered of a refresh annotation's value; an annotation may be far longer than a status should be."""

OWN_LABELS: Final[Mapping[str, str]] = {MANAGED_BY_LABEL: FIELD_MANAGER}
_NO_ITEMS: Final[Mapping[str, str]] = {}
_NO_KEYS: Final[frozenset[str]] = frozenset()
_OWN_KEYS: Final = frozenset(OWN_LABELS)
_TIMES: Final = frozenset({"lastTransitionTime", "time"})
"""The times in a status that are not published; `publishedAt` is."""


T = TypeVar("T")


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
        status: As stored, not validated; anybody may have written it.
        written: The status that the operator itself wrote last, or saw first; None where `status` says the same.
        deleting: Whether it has a deletion timestamp.
        refresh_request: The value of its refresh annotation, cut to `MAX_REQUEST_CHARS`, or None.
        approval: The value of its approve annotation, cut where it is longer than any that is asked for, or None.
        too_large: Whether its spec is larger than is kept; then `spec` is empty.
    """

    key: ObjectKey
    uid: str
    resource_version: int
    generation: int
    deleting: bool
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    refresh_request: str | None = None
    approval: str | None = None
    written: Mapping[str, Any] | None = None
    too_large: bool = False

    @property
    def remembered(self) -> Mapping[str, Any]:
        """The status that the operator takes for its memory: what it wrote last, or found when it first looked."""
        return self.status if self.written is None else self.written

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "ExchangeRate":
        """Slim a body as the API server returns it."""
        meta = body["metadata"]
        spec, status = body.get("spec"), body.get("status")
        too_large = isinstance(spec, Mapping) and bounded.is_large(spec)
        annotations = meta.get("annotations") or {}
        request, approval = annotations.get(REFRESH_ANNOTATION), annotations.get(APPROVE_ANNOTATION)
        return cls(
            key=_key(meta),
            uid=sys.intern(meta["uid"]),
            resource_version=int(meta["resourceVersion"]),
            generation=meta.get("generation", 0),
            deleting="deletionTimestamp" in meta,
            spec=bounded.slim(spec) if isinstance(spec, Mapping) and not too_large else {},
            status=bounded.slim(status) if isinstance(status, Mapping) else {},
            refresh_request=None if request is None else str(request)[:MAX_REQUEST_CHARS],
            approval=None if approval is None else bounded.cut(str(approval).strip()),
            too_large=too_large,
        )


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """An observed ConfigMap.

    Attributes:
        owner_uid: The uid of its controller, or None.
        owner_name: The name of its controller where that is an ExchangeRate, or None.
        labels: Its labels.
        annotations: Its annotations.
        own_labels: The keys of the labels that the operator alone has set, by the API server's bookkeeping.
        own_annotations: The same of annotations.
        binary_keys: The keys of its `binaryData`.
        too_large: Whether its data is larger than any of ours, and not all of it is kept.
    """

    key: ObjectKey
    uid: str
    resource_version: int
    owner_uid: str | None
    owner_name: str | None
    labels: Mapping[str, str]
    immutable: bool
    data: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    own_labels: frozenset[str] = _NO_KEYS
    own_annotations: frozenset[str] = _NO_KEYS
    binary_keys: frozenset[str] = _NO_KEYS
    too_large: bool = False

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "ConfigMap":
        """Slim a body as the API server returns it."""
        meta = body["metadata"]
        references: list[Mapping[str, Any]] = meta.get("ownerReferences") or []
        owner = next((ref for ref in references if ref.get("controller")), {})
        seen = cls(
            key=_key(meta),
            uid=meta["uid"],
            resource_version=int(meta["resourceVersion"]),
            owner_uid=bounded.slim(owner.get("uid")),
            owner_name=bounded.slim(owner.get("name")) if owner.get("kind") == KIND else None,
            labels=_NO_ITEMS,
            immutable=bool(body.get("immutable")),
            data=_NO_ITEMS,
        )
        return seen if seen.owner_name is None else replace(seen, **_content(body))  # a stranger's is never touched


def _content(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is compared of a ConfigMap with what it should be."""
    meta, data, binary = body["metadata"], body.get("data") or _NO_ITEMS, body.get("binaryData") or _NO_ITEMS
    labels, annotations = (bounded.strings(meta.get(part) or _NO_ITEMS) for part in ("labels", "annotations"))
    too_large = bounded.overflows(data, binary)
    return {
        "labels": _shared(labels, OWN_LABELS),
        "annotations": annotations,
        "own_labels": _shared(_set_by_us(meta, "f:labels") & labels.keys(), _OWN_KEYS),
        "own_annotations": _shared(_set_by_us(meta, "f:annotations") & annotations.keys(), _NO_KEYS),
        "data": bounded.strings(data) if too_large else bounded.slim(data),
        "binary_keys": _NO_KEYS if too_large else _shared(frozenset(binary), _NO_KEYS),
        "too_large": too_large,
    }


def _key(meta: Mapping[str, Any]) -> ObjectKey:
    return ObjectKey(sys.intern(meta["namespace"]), sys.intern(meta["name"]))


def _with_memory(seen: ExchangeRate, status: Mapping[str, Any]) -> ExchangeRate:
    """Give an object with what is remembered of its status, where that says something else than what is stored.

    Times are no other word: two operators that agree would take turns in putting theirs for ever.
    """
    same = seen.status == status or _without_times(seen.status) == _without_times(status)
    return replace(seen, written=None if same else status)


def _without_times(part: Any) -> Any:  # noqa: ANN401 - any part of a status
    if isinstance(part, Mapping):
        return {name: _without_times(value) for name, value in part.items() if name not in _TIMES}
    return [_without_times(value) for value in part] if isinstance(part, list) else part


def _shared(value: T, usual: T) -> T:
    """Give the one usual value in place of its equals: ten thousand ConfigMaps have the same label."""
    return usual if value == usual else value


def _set_by_us(meta: Mapping[str, Any], part: str) -> frozenset[str]:
    """Read from `managedFields` which keys the operator set and nobody else did."""
    ours: set[str] = set()
    others: set[str] = set()
    for entry in meta.get("managedFields") or ():
        fields = ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get(part) or {}
        keys = ours if entry.get("manager") == FIELD_MANAGER else others
        keys.update(name.removeprefix("f:") for name in fields if name != ".")
    return frozenset(ours - others)


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
        if known is not None and known.uid == seen.uid:
            seen = _with_memory(seen, known.remembered)
        self.exchange_rates[seen.key] = seen
        return True

    def note_status(self, written: ExchangeRate) -> None:
        """Take up an ExchangeRate whose status the operator has written, unless it is gone meanwhile."""
        known = self.exchange_rates.get(written.key)
        if known is not None and known.uid == written.uid:
            newest = written if written.resource_version > known.resource_version else known
            self.exchange_rates[written.key] = _with_memory(newest, written.status)

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

    def owned_by(self, owner: ExchangeRate) -> Iterator[ConfigMap]:
        """Give the known ConfigMaps whose controller is this object; who names it in another namespace is a liar."""
        for key in tuple(self._owned.get(owner.uid, ())):
            if key.namespace == owner.key.namespace:
                yield self.config_maps[key]
