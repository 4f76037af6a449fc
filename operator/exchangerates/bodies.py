"""Reads bodies as the API server returns them, with every text held once. Pure."""

import hashlib
import sys
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from exchangerates.api import FIELD_MANAGER

MAX_REQUEST_CHARS: Final = 64
"""What is remembered of a refresh annotation's value; an annotation may be far longer than a status should be."""
_DIGEST_CHARS: Final = 16

T = TypeVar("T")


def slim(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Give JSON with every text held once: ten thousand objects say much the same, and each document says it anew."""
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, dict):
        return {sys.intern(key): slim(part) for key, part in value.items()}
    if isinstance(value, list):
        return [slim(part) for part in value]
    return value


def shared(value: T, usual: T) -> T:
    """Give the one usual value in place of its equals: ten thousand ConfigMaps have the same label."""
    return usual if value == usual else value


def shortened(request: str) -> str:
    """Give a value in at most `MAX_REQUEST_CHARS`: of a longer one the beginning, and a digest of the whole."""
    if len(request) <= MAX_REQUEST_CHARS:
        return request
    digest = hashlib.sha256(request.encode(errors="surrogatepass")).hexdigest()[:_DIGEST_CHARS]
    return f"{request[: MAX_REQUEST_CHARS - _DIGEST_CHARS - 1]}~{digest}"


def set_by_us(meta: Mapping[str, Any], *path: str) -> frozenset[str]:
    """Read from `managedFields` which keys of a map the operator set and nobody else did.

    Args:
        meta: The body's metadata.
        path: The fields that lead to the map, such as `f:data`.
    """
    ours: set[str] = set()
    others: set[str] = set()
    for entry in meta.get("managedFields") or ():
        fields = entry.get("fieldsV1") or {}
        for part in path:
            fields = fields.get(part) or {}
        keys = ours if entry.get("manager") == FIELD_MANAGER else others
        keys.update(name.removeprefix("f:") for name in fields if name != ".")
    return frozenset(ours - others)
