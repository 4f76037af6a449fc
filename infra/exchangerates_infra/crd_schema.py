"""What the CRD's schema refuses of an ExchangeRate's spec, beside its rules in CEL: those `parse_spec` knows."""

from collections.abc import Mapping
from typing import Any, Final

from exchangerates_infra.config_reader import ConfigReader

_TYPES: Final[Mapping[str, type]] = {"string": str, "boolean": bool, "object": dict, "array": list}
_WORDS: Final = {"string": "a text", "boolean": "true or false", "object": "an object", "array": "a list"}


def check(reader: ConfigReader, path: str, value: Any, schema: Mapping[str, Any]) -> None:  # noqa: ANN401 - JSON
    """Note what is wrong with a value, except below paths that a mistake is noted of."""
    if reader.told(path):
        return
    kind = schema["type"]
    if not isinstance(value, _TYPES[kind]):
        reader.mistake(path, value, f"{_WORDS[kind]}, or leave it out")
    elif isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
        reader.mistake(path, f"{value[:40]}...", f"at most {schema['maxLength']} characters")
    elif isinstance(value, dict):
        _check_object(reader, path, value, schema)


def _check_object(reader: ConfigReader, path: str, value: dict[str, Any], schema: Mapping[str, Any]) -> None:
    most, known = schema.get("maxProperties", len(value)), schema.get("properties", {})
    if len(value) > most:
        reader.mistake(path, f"({len(value)} entries)", f"at most {most}")
    for name, child in value.items():
        if name in known:
            check(reader, f"{path}.{name}", child, known[name])
        elif "additionalProperties" in schema:
            check(reader, f"{path}.{name}", child, schema["additionalProperties"])
        else:
            reader.unknown(f"{path}.{name}", tuple(known))
