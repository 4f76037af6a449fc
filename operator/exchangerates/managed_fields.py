"""Reads the API server's bookkeeping of who has set which field of an object. Pure."""

from collections.abc import Mapping
from typing import Any

from exchangerates.api import FIELD_MANAGER


def set_by_us(meta: Mapping[str, Any], *path: str) -> frozenset[str]:
    """Read from `managedFields` which keys the operator set and nobody else did."""
    ours: set[str] = set()
    others: set[str] = set()
    for entry in meta.get("managedFields") or ():
        fields = entry.get("fieldsV1") or {}
        for part in path:
            fields = fields.get(part) or {}
        keys = ours if entry.get("manager") == FIELD_MANAGER else others
        keys.update(name.removeprefix("f:") for name in fields if name != ".")
    return frozenset(ours - others)
