"""How much of what anybody may write is kept of one object: a few hundred of the largest would take all memory. Pure.

What is cut is never equal to what was meant, so that it is put right as every other difference is.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

MAX_SPEC_CHARS: Final = 16 * 1024
"""Of a spec as JSON. Only the target's labels and annotations can be so long."""
MAX_VALUE_CHARS: Final = 4096
"""Of one label or annotation of a ConfigMap, and of the approve annotation: as much as an object may ask for."""
MAX_OTHERS_CHARS: Final = 32 * 1024
"""Of all of them together."""
_ENTRY_CHARS: Final = 64
"""What each entry counts for besides: the least that Python takes for one."""
MAX_DATA_CHARS: Final = 64 * 1024
"""Of a ConfigMap's data; 64 currencies take a tenth of it."""


def is_large(spec: Mapping[str, Any]) -> bool:
    """Tell whether a spec is larger than is kept."""
    return len(json.dumps(spec)) > MAX_SPEC_CHARS


def cut(text: str) -> str:
    """Give a text, or its beginning that is a little longer than any that was meant."""
    return text if len(text) <= MAX_VALUE_CHARS else text[: MAX_VALUE_CHARS + 1]


def strings(found: Mapping[str, str]) -> Mapping[str, str]:
    """Give labels, annotations or data, the long values cut, and no more than are kept of them."""
    if sum(len(key) + len(value) + _ENTRY_CHARS for key, value in found.items()) <= MAX_VALUE_CHARS:
        return found
    kept: dict[str, str] = {}
    left = MAX_OTHERS_CHARS
    for key, value in sorted(found.items(), key=lambda entry: len(entry[0]) + len(entry[1])):
        shown = cut(value)
        left -= len(key) + len(shown) + _ENTRY_CHARS
        if left < 0:
            break
        kept[key] = shown
    return kept


def overflows(data: Mapping[str, str], binary: Mapping[str, str]) -> bool:
    """Tell whether a ConfigMap's data is larger than is kept."""
    return sum(len(key) + len(value) + _ENTRY_CHARS for key, value in [*data.items(), *binary.items()]) > MAX_DATA_CHARS
