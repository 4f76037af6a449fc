"""The messages that the sources have for people: errors, log lines from WARNING on, mistakes of a stack's config."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from tests.docs.sources import modules

from exchangerates import errors
from exchangerates_infra.config_reader import StackConfigError
from exchangerates_infra.project import ROOT
from localcluster import errors as localcluster_errors

_GAP: Final = "…"
"""Stands for what a message fills in."""
_NOT_FOR_PEOPLE: Final = ("OwnerGone", "FetchUnderWay", "FetchedBefore")
"""Errors that the operator raises for itself."""
_CALLS: Final[dict[tuple[str, str], tuple[str, int]]] = {
    **{("logger", level): ("log", 0) for level in ("warning", "error", "exception", "critical")},
    ("reader", "mistake"): ("config", 2),
    ("self", "mistake"): ("config", -1),
    ("_reader", "mistake"): ("config", 2),
    ("self", "_all"): ("config", 2),
    ("section", "mistake"): ("config", 1),
    ("section", "text"): ("config", 2),
    ("section", "texts"): ("config", 1),
    ("section", "objects"): ("config", 1),
    ("section", "object_names"): ("config", 1),
    ("reader", "by_provider"): ("config", 1),
}
"""The kinds of messages that methods make, and which argument the text is; of a mistake it says what to write."""


class Message(NamedTuple):
    """One message.

    Attributes:
        path: The module, below the repository.
        kind: The error's name, or `log` or `config`.
        text: The message, with a gap for each part that is filled in.
    """

    path: str
    kind: str
    text: str


def all_messages() -> list[Message]:
    """Give every message, in the order of modules and lines."""
    roots = (ROOT / "operator", ROOT / "infra/exchangerates_infra", ROOT / "infra/localcluster")
    return [message for path, tree in modules(*roots) for message in _in_module(path, tree)]


def _in_module(path: Path, tree: ast.Module) -> Iterator[Message]:
    where = str(path.relative_to(ROOT))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        kind, position = _kind(node)
        text = _template(node.args[position]) if kind and len(node.args) > position else _GAP
        if " " in text and re.search(r"[a-z]{2}", text):
            yield Message(where, kind, text)


def _kind(call: ast.Call) -> tuple[str, int]:
    """Give a message's kind and which argument it is; no kind where the call makes none."""
    match call.func:
        case ast.Attribute(value=ast.Name(id=name) | ast.Attribute(attr=name), attr=method):
            return _CALLS.get((name, method), ("", 0))
        case ast.Name(id=name) if name in _errors():
            return name, 1 if name == "InvalidSpec" else 0
    return "", 0


@cache
def _errors() -> frozenset[str]:
    """Give the names of the errors whose texts people read."""
    own = [*vars(errors).values(), *vars(localcluster_errors).values(), StackConfigError, ValueError]
    classes = {cls.__name__ for cls in own if isinstance(cls, type) and issubclass(cls, Exception)}
    return frozenset(classes - set(_NOT_FOR_PEOPLE))


def _template(node: ast.expr) -> str:
    """Give a text with gaps, in one line; a gap alone where nothing of it stands in the source."""
    match node:
        case ast.Constant(value=str(text)):
            return " ".join(re.sub(r"%(\.\d)?[sdf]", _GAP, text).split())
        case ast.JoinedStr(values=parts):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else _GAP for part in parts)
            return " ".join(text.split())
    return _GAP
