"""Reads bodies as the API server returns them, with equal texts held once. Pure but for what it remembers of them."""

import hashlib
import json
import sys
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import orjson

from exchangerates.api import FIELD_MANAGER

MAX_REQUEST_CHARS: Final = 64
"""What is remembered of a refresh annotation's value; an annotation may be far longer than a status should be."""
MAX_HELD_BYTES: Final = 8 * 1024 * 1024
"""How much of texts is remembered for their equals to come: all that ten thousand objects say.

`sys.intern` remembers all for ever on CPython 3.12.
"""
_PLACE_BYTES: Final = 80
"""What each of them takes besides, for its place."""
_DIGEST_CHARS: Final = 16

T = TypeVar("T")


class Texts(dict[str, str]):
    """Texts by themselves: to look one up gives the first of those that equal it.

    Where they are too many it begins anew: those that are frequent are soon there again.
    """

    _bytes = 0

    def __missing__(self, text: str) -> str:
        self._bytes += sys.getsizeof(text) + _PLACE_BYTES
        if self._bytes > MAX_HELD_BYTES:
            self.clear()
            self._bytes = 0
        self[text] = text
        return text


_TEXTS: Final = Texts()


def slim(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Give JSON with every text held once: ten thousand objects say much the same, and each document says it anew."""
    if isinstance(value, str):
        return _TEXTS[value]
    if isinstance(value, dict):
        return {_TEXTS[key]: slim(part) for key, part in value.items()}
    if isinstance(value, list):
        return [slim(part) for part in value]
    return value


def encoded(body: Mapping[str, Any]) -> bytes:
    """Write a body as JSON."""
    try:
        return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)  # such as those of `Key`
    except orjson.JSONEncodeError:
        # Half a character, as a rate provider may have sent it, can be escaped; and anybody may nest 300 levels deep.
        return json.dumps(body).encode()


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
