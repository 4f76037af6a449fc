"""The cluster's objects as the operator keeps them: slimmed to what a reconcile needs.

Raw bodies go in; frozen values come out. Nothing in them is validated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from exchangerates import bounded
from exchangerates.api import APPROVE_ANNOTATION, FIELD_MANAGER, KIND, MANAGED_BY_LABEL, REFRESH_ANNOTATION, Key
from exchangerates.bodies import set_by_us, shared, shortened, slim

OWN_LABELS: Final[Mapping[str, str]] = {MANAGED_BY_LABEL: FIELD_MANAGER}
_NO_ITEMS: Final[Mapping[str, str]] = {}
_NO_KEYS: Final[frozenset[str]] = frozenset()
_OWN_KEYS: Final = frozenset(OWN_LABELS)
_NO_CONTENT: Final[Mapping[str, Any]] = {"labels": _NO_ITEMS, "data": _NO_ITEMS}


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
        written: The status that the operator itself wrote last, or saw first, with what it has published since; None
            where `status` says the same.
        tried: What a write whose answer is not known may have published, as a status tells it, or None.
        deleting: Whether it has a deletion timestamp.
        refresh_request: The value of its refresh annotation, `shortened`, or None.
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
    tried: Mapping[str, Any] | None = None
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
            uid=slim(meta["uid"]),
            resource_version=int(meta["resourceVersion"]),
            generation=meta.get("generation", 0),
            deleting="deletionTimestamp" in meta,
            spec=slim(spec) if isinstance(spec, Mapping) and not too_large else {},
            status=slim(status) if isinstance(status, Mapping) else {},
            refresh_request=None if request is None else shortened(str(request)),
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
        own_quote: Whether the operator alone has set its quote.
        binary_keys: The keys of its `binaryData`.
        too_large: Whether its data is larger than any of ours, and not all of it is kept.
        deleting: Whether it has a deletion timestamp: it stays, and is read, until somebody takes its finalizers away.
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
    own_quote: bool = False
    binary_keys: frozenset[str] = _NO_KEYS
    too_large: bool = False
    deleting: bool = False

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "ConfigMap":
        """Slim a body as the API server returns it."""
        meta = body["metadata"]
        references: list[Mapping[str, Any]] = meta.get("ownerReferences") or []
        owner = next((ref for ref in references if ref.get("controller")), {})
        owner_name = slim(owner.get("name")) if owner.get("kind") == KIND else None
        return cls(
            key=_key(meta),
            uid=meta["uid"],
            resource_version=int(meta["resourceVersion"]),
            owner_uid=slim(owner.get("uid")),
            owner_name=owner_name,
            immutable=bool(body.get("immutable")),
            deleting="deletionTimestamp" in meta,
            **(_NO_CONTENT if owner_name is None else _content(body)),  # a stranger's is never touched
        )


def _content(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is compared of a ConfigMap with what it should be."""
    meta, data, binary = body["metadata"], body.get("data") or _NO_ITEMS, body.get("binaryData") or _NO_ITEMS
    labels, annotations = (bounded.strings(meta.get(part) or _NO_ITEMS) for part in ("labels", "annotations"))
    own_labels, own_annotations = (set_by_us(meta, "f:metadata", part) for part in ("f:labels", "f:annotations"))
    too_large = bounded.overflows(data, binary)
    return {
        "labels": shared(labels, OWN_LABELS),
        "annotations": annotations,
        "own_labels": shared(own_labels & labels.keys(), _OWN_KEYS),
        "own_annotations": shared(own_annotations & annotations.keys(), _NO_KEYS),
        "own_quote": Key.QUOTE in set_by_us(meta, "f:data"),
        "data": bounded.strings(data) if too_large else slim(data),
        "binary_keys": _NO_KEYS if too_large else shared(frozenset(binary), _NO_KEYS),
        "too_large": too_large,
    }


def _key(meta: Mapping[str, Any]) -> ObjectKey:
    return ObjectKey(slim(meta["namespace"]), slim(meta["name"]))
