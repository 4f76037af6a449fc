"""What Kopf gets to see: every event that is news, whole, in its order, however the stream is cut."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchangerates.api import KIND, PLURAL
from exchangerates.news import Known, NewsOnly

KNOWN = "7"


class Cut:
    """Stands in for aiohttp's StreamReader: gives the same bytes, cut anywhere."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """Give one chunk after the other."""
        for chunk in self._chunks:
            yield chunk

    async def read(self) -> bytes:
        """Give all."""
        return b"".join(self._chunks)

    def total(self) -> int:
        """Count the bytes."""
        return sum(map(len, self._chunks))


def is_news(kind: str, event_type: str | None, body: Mapping[str, Any]) -> bool:
    """Take version 7 for known."""
    assert (kind, event_type) in {(KIND, "MODIFIED"), ("ConfigMap", "DELETED"), (KIND, None), ("ConfigMap", None)}
    return bool(body["metadata"]["resourceVersion"] != KNOWN)


def event(event_type: str, version: str, kind: str = KIND) -> dict[str, Any]:
    """Give an event as a watch shows it."""
    return {"type": event_type, "object": {"kind": kind, "metadata": {"resourceVersion": version}}}


EVENTS = st.lists(
    st.sampled_from(
        [
            event("MODIFIED", KNOWN),
            event("MODIFIED", "8"),
            event("DELETED", "9", "ConfigMap"),
            event("BOOKMARK", KNOWN),
            {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "zu alt: é"}},
        ]
    )
)


@given(events=EVENTS, cuts=st.sets(st.integers(0, 1500)), ended=st.booleans())
def test_a_watch_shows_every_line_that_is_news_and_no_other(
    events: list[dict[str, Any]], cuts: set[int], *, ended: bool
) -> None:
    """Also bookmarks and errors, which are Kopf's own; a line that the stream's end cuts stays as it is."""
    lines = [json.dumps(found, ensure_ascii=False).encode() for found in events]
    text = b"".join(line + b"\n" for line in lines) + (b"" if ended else b'{"type": "MODI')
    at = sorted({0, *cuts, len(text)})
    chunks = [text[start:end] for start, end in itertools.pairwise(at)]
    kept = [line for line, found in zip(lines, events, strict=True) if found != event("MODIFIED", KNOWN)]
    shown = asyncio.run(watch(chunks))
    assert shown == b"".join(line + b"\n" for line in kept) + (b"" if ended else b'{"type": "MODI')


async def watch(chunks: list[bytes]) -> bytes:
    """Give what is shown of a stream."""
    content = NewsOnly(Cut(chunks), Known(is_news), "/")  # type: ignore[arg-type] # stands in for one
    return b"".join([chunk async for chunk in content.iter_chunked(1024)])


ECHO = '{"type":"%s","object":{"kind":"ExchangeRate","metadata":{%s"resourceVersion":"12"}}}'


@pytest.mark.parametrize("event_type", ["ADDED", "MODIFIED"])
async def test_what_an_answer_has_shown_is_not_even_read(event_type: str) -> None:
    """It is told by its version: most events are such echoes."""
    assert await read_of(ECHO % (event_type, "")) == []


@pytest.mark.parametrize(
    ("event_type", "metadata"),
    [
        ("DELETED", ""),
        ("BOOKMARK", ""),
        ("MODIFIED", '"annotations":{"resourceVersion":"12"},'),
        ("MODIFIED", '"finalizers":["kopf.zalando.org/KopfFinalizerMarker"],'),
    ],
)
async def test_what_only_looks_like_an_echo_is_read(event_type: str, metadata: str) -> None:
    """A bookmark is of the last write's version, a user may write a version anywhere, and finalizers may be Kopf's."""
    assert await read_of(ECHO % (event_type, metadata)) == [event_type]


async def read_of(line: str) -> list[str | None]:
    """Give the types of the events that are read whole, or shown; all of version 12 is what an answer has shown."""
    read = list[str | None]()

    def read_whole(_: str, event_type: str | None, __: Mapping[str, Any]) -> bool:
        read.append(event_type)
        return False

    known = Known(read_whole, is_echo=lambda kind, version: (kind, version) == (KIND, 12))
    content: Any = Cut([line.encode() + b"\n"])
    shown = b"".join([chunk async for chunk in NewsOnly(content, known, f"/apis/x/{PLURAL}").iter_chunked(1024)])
    return read + [json.loads(event)["type"] for event in shown.splitlines()]


@pytest.mark.parametrize("kind", [KIND, "ConfigMap"])
async def test_a_list_shows_what_is_news_and_where_to_go_on(kind: str) -> None:
    """Kopf watches from the list's version on, which stays."""
    items = [{"metadata": {"resourceVersion": version}} for version in (KNOWN, "8")]
    page = {"kind": f"{kind}List", "metadata": {"resourceVersion": "12", "continue": "more"}, "items": items}
    assert json.loads(await listed(page)) == {**page, "items": items[1:]}


@pytest.mark.parametrize("more", [True, False], ids=["of a long list", "of a short one"])
async def test_a_list_that_the_operator_knows_whole_ends_with_its_first_page(*, more: bool) -> None:
    """Kopf watches from the operator's own list on, and sees nothing that was there before: it may be gone since."""
    items = [{"metadata": {"resourceVersion": version}} for version in (KNOWN, "8")]
    token = {"continue": "more"} if more else {}
    page = {"kind": f"{KIND}List", "metadata": {"resourceVersion": "12", **token}, "items": items}
    found = json.loads(await listed(page, known_at="11"))
    assert found == {**page, "metadata": {"resourceVersion": "11"}, "items": []}


async def test_an_object_may_be_as_deep_as_it_likes() -> None:
    """A list that could not be written would end Kopf's watch, again and again."""
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"f:a": deep}
    item = {"metadata": {"resourceVersion": "8"}, "deep": deep}
    page = {"kind": "ConfigMapList", "metadata": {"resourceVersion": "12"}, "items": [item]}
    assert json.loads(await listed(page)) == page


async def test_other_answers_are_whole() -> None:
    """What Kopf asks at its start, and what is no list of the operator's kinds."""
    for page in ({"kind": "APIResourceList", "resources": []}, {"kind": "PodList", "items": [{"metadata": {}}]}):
        assert json.loads(await listed(page)) == page


async def listed(page: Mapping[str, Any], known_at: str | None = None) -> bytes:
    """Give what is shown of a list."""
    content: Any = Cut([json.dumps(page).encode()])

    async def listed_at(_: str) -> str | None:
        return known_at

    return await NewsOnly(content, Known(is_news, listed_at=listed_at), "/").read()


def test_it_is_otherwise_what_it_is_made_of() -> None:
    """Aiohttp and Kopf use more of a content than what is changed here."""
    assert NewsOnly(Cut([b"abc"]), Known(is_news), "/").total() == 3  # type: ignore[arg-type] # stands in
