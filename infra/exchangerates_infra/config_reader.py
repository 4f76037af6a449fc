"""Reads a stack's values one by one and collects the mistakes, so that all are told at once."""

import difflib
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

import pulumi

from exchangerates import names
from exchangerates.api import PROVIDERS
from exchangerates.errors import InvalidSpec
from exchangerates.spec import Defaults, parse_spec
from exchangerates_infra.project import PROJECT

EXAMPLE: Final = Defaults("EUR", PROVIDERS, 3600.0, 168 * 3600.0)
"""Defaults for checking a spec when only its form matters."""

_WITH_PASSWORD: Final = re.compile(r"(?s)[:/].*@(?!sha256:)")
"""What may be an address with user and password, also a mistaken one; an image's digest is none."""


class StackConfigError(pulumi.RunError):
    """The stack's config has mistakes; the text lists them all."""


class ConfigReader:
    """Reads values and collects the mistakes.

    Args:
        values: The stack's values as text, by key.
        secrets: The keys whose values are encrypted; they are in no message.
    """

    def __init__(self, values: Mapping[str, str], secrets: AbstractSet[str] = frozenset()) -> None:
        self._values = values
        self._secrets = secrets
        self._mistakes: dict[str, None] = {}

    def mistake(self, key: str, value: object, write: str) -> None:
        """Note a mistake: the key, the value where everybody may read it, and what to write instead."""
        shown = value if isinstance(value, str) else json.dumps(value)
        if shown and self._is_secret(key):
            shown = "(encrypted)"
        elif _WITH_PASSWORD.search(shown):
            shown = "(with a password)"
        self._mistakes[f"{PROJECT}:{key}: {shown!r}: write {write}"] = None

    def refused(self, key: str, error: InvalidSpec) -> None:
        """Note a mistake that the rules for ExchangeRates found: their text has the value and what to write."""
        if self._is_secret(key):
            self.mistake(key, "(encrypted)", f"what an ExchangeRate may have as {error.field}")
            return
        self._mistakes[f"{PROJECT}:{key}: {str(error).partition(': ')[2]}"] = None

    def told(self, key: str) -> bool:
        """Tell whether a mistake of this key is noted."""
        return any(text.startswith(f"{PROJECT}:{key}: ") for text in self._mistakes)

    def unknown_keys(self, known: Collection[str]) -> None:
        """Note the stack's keys that nobody knows."""
        for key in sorted(self._values.keys() - set(known)):
            self.unknown(key, known)

    def unknown(self, path: str, known: Collection[str]) -> None:
        """Note a key that nobody knows by its whole path, with the most similar known one, or with all of them.

        Its value is not told: nobody knows whether it is a secret.
        """
        near = difflib.get_close_matches(path.rpartition(".")[2], known, 1)
        meant = f"did you mean {near[0]}?" if near else f"write one of {', '.join(known)}"
        self._mistakes[f"{PROJECT}:{path}: there is no such key; {meant}"] = None

    def raise_mistakes(self) -> None:
        """Raise what was noted, if anything was.

        Raises:
            StackConfigError: There are mistakes.
        """
        if self._mistakes:
            listed = "\n".join(f"  - {mistake}" for mistake in self._mistakes)
            raise StackConfigError(f"Pulumi.<stack>.yaml needs these corrections, nothing was changed:\n{listed}")

    def text(self, key: str, default: str) -> str:
        """Give a text; an empty one means the default."""
        return str(self._values.get(key) or default)

    def encrypted(self, key: str) -> str:
        """Give a text that has to be one of the secrets; it is in no message."""
        value = self.text(key, "")
        if value and key not in self._secrets:
            self.mistake(key, "(in plain text)", "it encrypted, with `pulumi config set --secret`, and replace it")
        return value

    def boolean(self, key: str, *, default: bool) -> bool:
        """Give a boolean."""
        return self.choice(key, str(default).lower(), ("true", "false")) == "true"

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """Give one of some texts."""
        value = self.text(key, default)
        if value not in choices:
            self.mistake(key, value, f"one of {', '.join(choices)}")
        return value

    def field(self, key: str, field: str, default: str) -> str:
        """Read a default for one field of a spec, by the rules that objects have to keep."""
        value = self.text(key, default)
        try:
            parse_spec("defaults", {"currency": "EUR", field: value}, EXAMPLE)
        except InvalidSpec as error:
            self.refused(key, error)
        return value

    def dns_label(self, key: str, default: str) -> str:
        """Give a namespace's name."""
        value = self.text(key, default)
        if not names.is_namespace(value):
            self.mistake(key, value, names.NAMESPACE)
        return value

    def dns_labels(self, key: str) -> list[str]:
        """Give namespaces' names, each once."""
        given = self.items(key)
        if not all(map(names.is_namespace, given)) or len(set(given)) < len(given):
            self.mistake(key, given, "namespaces' names, each once")
            return []
        return given

    def choices(self, key: str, default: list[str], choices: Sequence[str]) -> list[str]:
        """Give some of some texts, each once, in the order in which they stand."""
        given = self.items(key) if self._values.get(key) else default
        texts = [name for name in given if isinstance(name, str)]
        if not given or not set(texts) <= set(choices) or len(set(texts)) < len(given):
            self.mistake(key, given, f"some of {', '.join(choices)}, each once")
        return texts

    def items(self, key: str) -> list[Any]:
        """Give a list."""
        value = self._json(key, [])
        if not isinstance(value, list):
            self.mistake(key, value, "a list")
            return []
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        """Give an object."""
        value = self._json(key, {})
        if not isinstance(value, dict):
            self.mistake(key, value, "an object")
            return {}
        return value

    def labels(self, key: str, labels: Mapping[str, Any]) -> None:
        """Check labels, each key and each value."""
        for name, value in labels.items():
            if not names.is_label_key(name):
                self.mistake(key, name, names.KEY)
            elif not names.is_label_value(value) and not self.told(f"{key}.{name}"):
                self.mistake(f"{key}.{name}", value, names.LABEL_VALUE)

    def by_provider(self, key: str, what: str, check: Callable[[str], object]) -> dict[str, str]:
        """Give values by rate provider, each checked by a function that raises ValueError."""
        values = self.mapping(key)
        for name, value in values.items():
            if name not in PROVIDERS:
                self.unknown(f"{key}.{name}", PROVIDERS)
                continue
            try:
                check(str(value))
            except ValueError:
                self.mistake(f"{key}.{name}", value, what)
        return {name: str(value) for name, value in values.items()}

    def _is_secret(self, path: str) -> bool:
        return re.split(r"[.\[]", path, maxsplit=1)[0] in self._secrets

    def _json(self, key: str, default: object) -> Any:  # noqa: ANN401 - JSON is what it is
        text = self._values.get(key)
        if not text:
            return default
        try:
            return json.loads(text, object_pairs_hook=_once)
        except ValueError:
            self.mistake(key, text, "JSON with each key once, or set it as a list or an object in the stack file")
            return default


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found
