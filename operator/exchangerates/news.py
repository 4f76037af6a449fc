"""What Kopf gets to see of the API server's answers: of objects only what is news.

Most events of a watch are echoes of the operator's own writes, and what Kopf lists before it watches the operator has
listed itself. For Kopf to handle an object that is known costs as much CPU time as a pass, and memory for good.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import aiohttp

from exchangerates.api import KIND

IsNews = Callable[[str, str | None, Mapping[str, Any]], bool]
"""Tells by its kind, its type (None in a list) and its object whether an event is to be seen."""
KnownAt = Callable[[str], str | None]
"""Gives by its path the resource version at which all that a list shows was known, or None."""

_EVENTS: Final = frozenset({"ADDED", "MODIFIED", "DELETED"})
_LISTS: Final = {f"{KIND}List": KIND, "ConfigMapList": "ConfigMap"}


def everything(*_: object) -> bool:
    """Take everything for news."""
    return True


def nothing(_: str) -> None:
    """Take no list for known."""


class NewsOnly:
    """The content of an answer: of a list or a watch without what is no news, of all else whole.

    Args:
        content: The whole of it.
        is_news: Tells what is to be seen.
        known_at: Gives the resource version at which all that the list shows was known, or None.
    """

    def __init__(self, content: aiohttp.StreamReader, is_news: IsNews, known_at: Callable[[], str | None]) -> None:
        self._content = content
        self._is_news = is_news
        self._known_at = known_at

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a StreamReader has
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Give a watch's lines, whole ones in each chunk."""
        rest = b""
        async for chunk in self._content.iter_chunked(size):
            *lines, rest = (rest + chunk).split(b"\n")
            if kept := [line for line in lines if self._is_kept(line)]:
                yield b"\n".join((*kept, b""))
        if rest:
            yield rest

    async def read(self) -> bytes:
        """Give a list, or a page of one; it is the last one where the operator knows all the rest."""
        text = await self._content.read()
        found = json.loads(text)
        kind = _LISTS.get(found.get("kind"))
        if kind is None:
            return text
        found["items"] = [item for item in found["items"] if self._is_news(kind, None, item)]
        if found["metadata"].get("continue") and (version := self._known_at()) is not None:
            found["metadata"] = {"resourceVersion": version}
        return json.dumps(found).encode()

    def _is_kept(self, line: bytes) -> bool:
        event = json.loads(line)
        known = event["type"] in _EVENTS  # else a bookmark, or an error
        return not known or self._is_news(event["object"]["kind"], event["type"], event["object"])
