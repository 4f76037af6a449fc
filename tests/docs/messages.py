"""The messages that the sources have for people: every text of theirs that is not a program's own."""

import ast
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.docs.sources import modules

from exchangerates_infra.project import ROOT

_GAP: Final = "…"
"""Stands for what a message fills in."""
_PARTS: Final = ("operator", "infra/exchangerates_infra", "infra/localcluster")
_OTHER_PEOPLES: Final = "localcluster/rateserver"
"""What speaks as a rate provider does."""
_COMMAND: Final = re.compile(r"kubectl |uv run |… run |… get |… --|PULUMI_|-s -w")
"""How texts begin that are run, not read."""
_NO_MESSAGES: Final = ("not before … s from now", "of namespace …")
"""What the operator tells itself too, and a part of an object's name."""
_IN_PLACE_OF_A_VALUE: Final = re.compile(r"\(.*\)")
"""Such as `(not shown)`."""
_CALLS: Final = frozenset(
    {
        *("info", "debug"),  # log lines below WARNING
        *("report", "show", "print"),  # how far a command of localcluster is
        *("Counter", "Gauge", "Histogram"),  # what a metric is: in the reference
        *("ArgumentParser", "add_argument", "command"),  # what --help shows
        *("Program", "Build"),  # what is built, and how long that takes
        *("create_task", "startswith", "OwnerGone"),  # what the operator tells itself
        "DuplicateResourceError",  # what Pulumi's engine tells who writes a program
    }
)
"""Calls whose texts are no messages, by what is called."""


class Message(NamedTuple):
    """One message.

    Attributes:
        path: The module, below the repository.
        kind: What is called with it, such as an error's name; empty where it is put together first.
        text: The message, with a gap for each part that is filled in.
    """

    path: str
    kind: str
    text: str


def all_messages() -> list[Message]:
    """Give every message, in the order of modules."""
    found: list[Message] = []
    for path, tree in modules(*(ROOT / part for part in _PARTS)):
        where = str(path.relative_to(ROOT))
        if _OTHER_PEOPLES not in where:
            found += [Message(where, kind, text) for kind, text in _texts(tree, "") if _is_message(kind, text)]
    return found


def _texts(node: ast.AST, kind: str) -> Iterator[tuple[str, str]]:
    """Give the texts below a node, each with what it is handed to; docstrings are none."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Compare():
            return
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)):
            if called in _CALLS:
                return
            kind = called
        case ast.Constant(value=str(text)):
            yield kind, " ".join(re.sub(r"%(\.\d)?[sdf]", _GAP, text).split())
        case ast.JoinedStr(values=parts):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else _GAP for part in parts)
            yield kind, " ".join(text.split())
            # What is filled in may be a text itself: one of two, say.
            for part in parts:
                if isinstance(part, ast.FormattedValue):
                    yield from _texts(part.value, "")
            return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, kind)


def _is_message(kind: str, text: str) -> bool:
    """Tell whether people read a text: by its words, of which one is enough where an error or the like is told it."""
    if " " not in text or text in _NO_MESSAGES or _COMMAND.match(text) or _IN_PLACE_OF_A_VALUE.fullmatch(text):
        return False
    return len(re.findall(r"[a-z]{2,}", text)) >= (2 if kind in {"", "write", "__init__"} else 1)
