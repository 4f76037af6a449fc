"""What the operator's container asks for and may have, with what a stack puts over the defaults."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from exchangerates_infra.config_reader import ConfigReader

Resources = Mapping[str, Mapping[str, str]]
"""Quantities by resource, under `requests` and `limits`, as in a container's spec."""

# Measured in a Pod (tests/node/measure.py) with no, 1,000 and 5,000 objects: 45, 52 and 75 MB at rest, and 44, 65 and
# 84 MB at most, at a start; the ECB's whole history takes 30 MB more while it is read. The request covers a start with
# 5,000; the limit is over three times that, with the history, and room for several times as many. At rest it takes less
# than 1 mCPU, and a start 0.4, 1.3 and 5.3 CPU seconds: the request is for the start, and there is no limit, since
# throttling would make probes fail under load.
_DEFAULTS: Final[Resources] = {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "384Mi"}}
_RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
_SUFFIXES: Final[Mapping[str, Decimal]] = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGT", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGT", 1)},
}
_QUANTITY: Final = re.compile(rf"([0-9]+(?:\.[0-9]+)?)({'|'.join(_SUFFIXES)})")


def over_defaults(given: Resources) -> dict[str, dict[str, str]]:
    """Give the container's resources: the defaults, with what is given in place of single ones or besides them."""
    return {kind: {**_DEFAULTS[kind], **given.get(kind, {})} for kind in _DEFAULTS}


def read_resources(reader: ConfigReader, path: str, given: object) -> Resources:
    """Read a stack's part of the resources, and note its mistakes; the API server would refuse the Deployment."""
    kinds = _mapping(reader, path, given, tuple(_DEFAULTS))
    read = {
        kind: {
            resource: str(quantity)
            for resource, quantity in _mapping(reader, f"{path}.{kind}", quantities, _RESOURCES).items()
            if _is_quantity(reader, f"{path}.{kind}.{resource}", quantity)
        }
        for kind, quantities in kinds.items()
    }
    whole = over_defaults(read)
    for resource, limit in whole["limits"].items():
        request = whole["requests"].get(resource, "0")
        if _amount(request) > _amount(limit):
            kind = "limits" if resource in read.get("limits", {}) else "requests"
            write = f"a request of at most the limit; they are {request} and {limit}"
            reader.mistake(f"{path}.{kind}.{resource}", whole[kind][resource], write)
    return read


def _mapping(reader: ConfigReader, path: str, given: object, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(given, dict):
        if given is not None:
            reader.mistake(path, given, "an object such as {limits: {cpu: 500m, memory: 512Mi}}")
        return {}
    for key in given.keys() - set(known):
        reader.unknown(f"{path}.{key}", known)
    return {key: value for key, value in given.items() if key in known}


def _is_quantity(reader: ConfigReader, path: str, value: object) -> bool:
    valid = not isinstance(value, bool) and bool(_QUANTITY.fullmatch(str(value)))
    if not valid:
        reader.mistake(path, value, "a quantity such as 500m for CPUs or 512Mi for memory")
    return valid


def _amount(quantity: str) -> Decimal:
    found = _QUANTITY.fullmatch(quantity)
    return Decimal(found[1]) * _SUFFIXES[found[2]] if found else Decimal(0)
