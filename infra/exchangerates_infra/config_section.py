"""Reads one of the stack's values that is an object, key by key; unknown keys are mistakes too."""

import re
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from exchangerates import names
from exchangerates_infra.config_reader import ConfigReader

_MAX_PORT: Final = 65535


class Section:
    """An object of the stack's values; a context manager that notes the keys that nobody asked for.

    Args:
        reader: Collects the mistakes.
        key: The object's key in the stack's values.
    """

    def __init__(self, reader: ConfigReader, key: str) -> None:
        self._reader = reader
        self._key = key
        self._values = reader.mapping(key)
        self._known: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        known = list(dict.fromkeys(self._known))
        for key in sorted(self._values.keys() - set(known)):
            self._reader.unknown(f"{self._key}.{key}", known)

    def has(self, key: str) -> bool:
        """Tell whether the key has a value."""
        return self._values.get(key) not in (None, "", [], {})

    def given(self, key: str) -> object:
        """Give a value as it stands there, or None."""
        self._known.append(key)
        return self._values.get(key)

    def mistake(self, key: str, write: str, shown: str | None = None) -> None:
        """Note a mistake of one key; `shown` stands for a value that nobody may read."""
        self._reader.mistake(f"{self._key}.{key}", shown or self._values.get(key), write)

    def is_boolean(self, key: str) -> bool:
        """Tell whether the key's value is a boolean."""
        value = self._values.get(key)
        return isinstance(value, bool) or value in ("true", "false")

    def is_true(self, key: str) -> bool:
        """Tell whether the key's value is true."""
        return self._values.get(key) in (True, "true")

    def boolean(self, key: str, *, default: bool) -> bool:
        """Give a boolean."""
        value = self._value(key, default)
        if key in self._values and not self.is_boolean(key):
            self.mistake(key, "true or false")
        return value in (True, "true")

    def enabled(self, *further: str) -> bool:
        """Give the key `enabled`; who leaves it out beside further keys would wait in vain for what they are about."""
        alone = [key for key in further if self.has(key)]
        if alone and self._values.get("enabled") is None:
            self.mistake(
                "enabled", f"true, or false to switch it off: {', '.join(alone)} alone has no effect", "(left out)"
            )
        return self.boolean("enabled", default=False)

    def text(self, key: str, pattern: str = r"(?s).+", write: str = "text") -> str | None:
        """Give a text that matches a pattern, or None where there is none."""
        value = self._value(key, None)
        if value is None:
            return None
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            self.mistake(key, write)
            return None
        return value

    def texts(self, key: str, write: str, pattern: str = r".+") -> tuple[str, ...]:
        """Give a list of texts that match a pattern."""
        return tuple(self._all(key, lambda item: isinstance(item, str) and bool(re.fullmatch(pattern, item)), write))

    def object_names(self, key: str, write: str) -> tuple[str, ...]:
        """Give a list of objects' names, each once."""
        found = self._all(key, names.is_object_name, write)
        if len(set(found)) < len(found):
            self.mistake(key, write)
        return tuple(found)

    def ports(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Give a list of TCP ports; an empty one means the default."""
        ports = self._all(
            key, lambda item: type(item) is int and 0 < item <= _MAX_PORT, "a list of ports such as [443, 6443]"
        )
        return tuple(ports) or default

    def objects(self, key: str, write: str) -> tuple[dict[str, Any], ...]:
        """Give a list of objects."""
        return tuple(self._all(key, lambda item: isinstance(item, dict) and bool(item), write))

    def labels(self, key: str) -> dict[str, str]:
        """Give labels."""
        value = self._value(key, {})
        if not isinstance(value, dict):
            self.mistake(key, "an object of labels such as {team: payments}")
            return {}
        self._reader.labels(f"{self._key}.{key}", value)
        return value

    def _all(self, key: str, valid: Callable[[Any], bool], write: str) -> list[Any]:
        value = self._value(key, [])
        if not isinstance(value, list) or not all(valid(item) for item in value):
            self.mistake(key, write)
            return []
        return value

    def _value(self, key: str, default: object) -> Any:  # noqa: ANN401 - JSON is what it is
        self._known.append(key)
        return self._values[key] if self.has(key) else default
