"""What Kopf gets to see of the API server's answers: of objects only what is news.

Most events of a watch are echoes of the operator's own writes, and what Kopf lists before it watches the operator has
listed itself. For Kopf to handle an object that is known costs as much CPU time as a pass, and memory for good.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import orjson

from exchangerates.api import KIND, PLURAL
from exchangerates.bodies import encoded

_EVENTS: Final = frozenset({"ADDED", "MODIFIED", "DELETED"})
_ECHOES: Final = (b'{"type":"MODIFIED",', b'{"type":"ADDED",')
"""How the line of an event begins that may be the echo of a write."""
_VERSION: Final = re.compile(rb'"resourceVersion":"([0-9]+)"')
_WATCHES: Final = {PLURAL: KIND, "configmaps": "ConfigMap"}
_LISTS: Final = {f"{KIND}List": KIND, "ConfigMapList": "ConfigMap"}


async def _never(_: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Known:
    """Tells what is known already; by default nothing.

    Attributes:
        is_news: Whether an event is to be seen, by its kind, its type (None in a list) and its object.
        is_echo: Whether an object as a watch shows it is just what an answer has shown, by kind and resource version.
        listed_at: Waits a while for the resource version at which all that a list shows was known, and gives it by the
            list's path as it is sent, or None.
    """

    is_news: Callable[[str, str | None, Mapping[str, Any]], bool] = lambda *_: True
    is_echo: Callable[[str, int], bool] = lambda *_: False
    listed_at: Callable[[str], Awaitable[str | None]] = _never


NOTHING: Final = Known()


class NewsOnly:
    """The content of an answer: of a list or a watch without what is no news, of all else whole.

    Args:
        content: The whole of it.
        known: Tells what is not to be seen.
        path: The one that was asked for.
    """

    def __init__(self, content: aiohttp.StreamReader, known: Known, path: str) -> None:
        self._content, self._known, self._path = content, known, path
        self._kind = _WATCHES.get(path.rpartition("/")[2], "")

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
        """Give a list, or a page of one; an empty list where the operator's own has just told it all."""
        text = await self._content.read()
        found = orjson.loads(text)
        kind = _LISTS.get(found.get("kind"))
        if kind is None:
            return text
        version = await self._known.listed_at(self._path)
        if version is not None:  # what was there then is known, and what has changed before or after is told
            return encoded({**found, "metadata": {"resourceVersion": version}, "items": []})
        found["items"] = [item for item in found["items"] if self._known.is_news(kind, None, item)]
        return encoded(found)

    def _is_kept(self, line: bytes) -> bool:
        if line.startswith(_ECHOES) and b'"finalizers":' not in line:
            versions = _VERSION.findall(line)  # more than one: a label, say, has that name too
            if len(versions) == 1 and self._known.is_echo(self._kind, int(versions[0])):
                return False
        event = orjson.loads(line)
        known = event["type"] in _EVENTS  # else a bookmark, or an error
        return not known or self._known.is_news(event["object"]["kind"], event["type"], event["object"])
