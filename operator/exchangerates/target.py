"""Where an object wants its rate to be published: the part `target` of a spec."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from exchangerates import names
from exchangerates.api import MANAGED_BY_LABEL, Key
from exchangerates.errors import InvalidSpec

_NAME_PATTERN: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_KEY_PATTERN: Final = re.compile(r"[-._a-zA-Z0-9]+")
_TAKEN_KEYS: Final = (Key.BASE, Key.CURRENCY, Key.DATE, Key.PROVIDER)
"""The keys that came later are not among them: a spec that was valid stays valid, and its rate has the key."""
_MAX_NAME_CHARS: Final = 253
_MAX_TOLD_CHARS: Final = 100
CLUSTERS_OWN: Final = "kube-root-ca.crt"
"""Kubernetes puts it into each namespace a moment after that is made: it could be taken before."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a rate is published.

    Attributes:
        name: The name of the ConfigMap.
        key: The key of its data that holds the rate.
        labels: Labels that it carries besides the operator's own.
        annotations: Annotations that it carries.
        immutable: Whether the ConfigMap is made immutable; only for a rate of a day that is over.
    """

    name: str
    key: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    immutable: bool = False


def parse_target(raw: Mapping[str, Any], default_name: str) -> Target:
    """Check the target of a raw spec.

    Raises:
        InvalidSpec: The first field that is wrong, with what to write instead.
    """
    target = {} if raw.get("target") is None else raw["target"]
    if not isinstance(target, Mapping):
        raise InvalidSpec("target", f"{target!r} is not an object; write target: {{name: {default_name}}}")
    name, key = target.get("name", default_name), target.get("key", str(Key.RATE))
    if not isinstance(name, str) or not _NAME_PATTERN.fullmatch(name) or len(name) > _MAX_NAME_CHARS:
        raise InvalidSpec(
            "target.name", f"{name!r} is not a ConfigMap name; write lower-case letters, digits, '-' and '.'"
        )
    if name == CLUSTERS_OWN:
        raise InvalidSpec("target.name", f"{name} is the cluster's own in every namespace; write another name")
    if not isinstance(key, str) or not _KEY_PATTERN.fullmatch(key) or len(key) > _MAX_NAME_CHARS:
        raise InvalidSpec("target.key", f"{key!r} is not a ConfigMap key; write letters, digits, '-', '_' and '.'")
    if key in _TAKEN_KEYS:
        raise InvalidSpec("target.key", f"{key!r} is taken by the rate's {key}; write another one")
    immutable = truth(target, "target.immutable", "immutable")
    if immutable and "date" not in raw:
        raise InvalidSpec("target.immutable", "only a rate of one day stays as it is; write date too, or leave it out")
    return Target(name, key, _strings(target, "labels"), _strings(target, "annotations"), immutable)


def _strings(target: Mapping[str, Any], field: str) -> Mapping[str, str]:
    value = {} if target.get(field) is None else target[field]
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        raise InvalidSpec(f"target.{field}", f"{value!r} is not a map of strings; write numbers in quotes")
    if MANAGED_BY_LABEL in value:
        raise InvalidSpec(f"target.{field}", f"{MANAGED_BY_LABEL} is the operator's own; write it nowhere")
    for key, text in value.items():
        if not names.is_entry(field, key, text):
            raise InvalidSpec(f"target.{field}", _misspelt(key, text, key_is_right=names.is_entry(field, key, "")))
    return value


def _misspelt(key: str, text: str, *, key_is_right: bool) -> str:
    if key_is_right:
        return f"{text[:_MAX_TOLD_CHARS]!r} is not a label's value; write {key}: {names.LABEL_VALUE}"
    return f"{key[:_MAX_TOLD_CHARS]!r} is not a key; write {names.KEY}"


def truth(raw: Mapping[str, Any], path: str, field: str) -> bool:
    """Give a boolean field, False where it is left out.

    Raises:
        InvalidSpec: It is something else.
    """
    value = raw.get(field, False)
    if not isinstance(value, bool):
        raise InvalidSpec(path, f"{value!r} is no truth value; write true or false")
    return value
