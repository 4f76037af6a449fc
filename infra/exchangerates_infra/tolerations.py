"""Checks a Pod's tolerations by the API server's rules; it would refuse them only when the Deployment makes its Pod."""

from collections.abc import Mapping
from typing import Any, Final

from exchangerates import names
from exchangerates_infra.config_reader import ConfigReader

_KEYS: Final = ("key", "operator", "value", "effect", "tolerationSeconds")
_OPERATORS: Final = ("Equal", "Exists")
_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def check_toleration(reader: ConfigReader, path: str, toleration: Mapping[str, Any]) -> None:
    """Note the mistakes of one toleration."""
    key, value, operator, effect = (toleration.get(name) for name in ("key", "value", "operator", "effect"))
    seconds = toleration.get("tolerationSeconds")
    for name in toleration.keys() - set(_KEYS):
        reader.unknown(f"{path}.{name}", _KEYS)
    if operator not in (None, *_OPERATORS):
        reader.mistake(f"{path}.operator", operator, f"one of {', '.join(_OPERATORS)}")
    elif not key and operator != "Exists":
        reader.mistake(f"{path}.key", key, "the taint's key, or operator: Exists alone, which tolerates every taint")
    elif value and operator == "Exists":
        reader.mistake(f"{path}.value", value, "no value: with the operator Exists every value is tolerated")
    if key and not names.is_label_key(key):
        reader.mistake(f"{path}.key", key, names.KEY)
    if value is not None and not names.is_label_value(value):
        reader.mistake(f"{path}.value", value, names.LABEL_VALUE)
    if effect not in (None, *_EFFECTS):
        reader.mistake(f"{path}.effect", effect, f"one of {', '.join(_EFFECTS)}, or leave it out for all of them")
    elif seconds is not None and effect != "NoExecute":
        reader.mistake(f"{path}.tolerationSeconds", seconds, "it with effect: NoExecute, or leave it out")
    if seconds is not None and type(seconds) is not int:
        reader.mistake(f"{path}.tolerationSeconds", seconds, "a whole number of seconds")
