"""A rate provider, or who is in its place, that wants to do harm: it costs a failed call, and no more."""

import datetime as dt
import gzip
import io
import json
import socket
import ssl
import threading
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchangerates.errors import FetchError
from exchangerates.providers import ecb, exchangeratesapi, frankfurter, http, openexchangerates
from exchangerates.providers.connections import Deadline
from exchangerates.rates import RateTable

TODAY = dt.date(2026, 11, 2)
DAY = dt.date(2024, 6, 28)
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
GOOD = b'[{"date":"2026-10-30","base":"EUR","quote":"USD","rate":1.1172}]'
MAX_MEMORY = 200 * 1024 * 1024
"""Of the 384 MiB that the stack gives to the operator; itself it takes less than 120."""
EVERY_S = 0.05
CUBE = f"<x xmlns='{ecb.NAMESPACE}'>"


class Scripted:
    """A server that answers every connection with the same pieces, each at once or after a pause.

    Attributes:
        url: Its address.
    """

    def __init__(self, pieces: Callable[[], Iterator[bytes]], pause_s: float = 0.0) -> None:
        self._pieces, self._pause_s = pieces, pause_s
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._listener.close()

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                for piece in self._pieces():
                    if self._closing.wait(self._pause_s):
                        return
                    connection.sendall(piece)
            except OSError:
                return


def packed(body: bytes, encoding: str = "gzip") -> bytes:
    """Give an answer with a packed body."""
    return HEAD + f"Content-Encoding: {encoding}\r\n\r\n".encode() + body


def archive(text: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Give an archive of a history."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as made:
        made.writestr("eurofxref-hist.csv", text)
    return body.getvalue()


DRIPS = {
    "the status line": (b"",),
    "a header": (HEAD, b"X: "),
    "a chunk's length": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n",),
    "the body": (HEAD + b"\r\n",),
    "a packed body": (packed(b""),),
}


@pytest.mark.parametrize("beginning", DRIPS.values(), ids=list(DRIPS))
def test_no_part_of_an_answer_can_be_dripped_for_ever(
    beginning: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes long before the silence is too long; the call ends by its deadline all the same."""
    monkeypatch.setattr(http, "DEADLINE_S", 0.5)
    with Scripted(lambda: chain(beginning, repeat(b"0")), EVERY_S) as server:
        began = time.monotonic()
        with pytest.raises(FetchError, match="timed out"):
            http.get(server.url, {})
        assert time.monotonic() - began < 30


def test_calls_that_were_cut_leave_no_thread_and_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that drips for days would otherwise use them up."""
    monkeypatch.setattr(http, "DEADLINE_S", 0.2)
    with Scripted(lambda: chain((HEAD, b"X: "), repeat(b"0")), EVERY_S) as server:
        cut: list[FetchError] = []
        noted: list[socket.socket] = []
        note = Deadline.note

        def noting(deadline: Deadline, opened: socket.socket) -> socket.socket:
            noted.append(opened)
            return note(deadline, opened)

        monkeypatch.setattr(Deadline, "note", noting)

        def call() -> None:
            try:
                http.get(server.url, {})
            except FetchError as error:
                cut.append(error)

        threads = [threading.Thread(target=call, daemon=True) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert (len(cut), len(noted)) == (5, 5)
        assert [one.fileno() for one in noted] == [-1] * 5
        assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(packed(gzip.compress(bytes(64 * 1024 * 1024), 1)), "larger than", id="a bomb"),
        pytest.param(packed(gzip.compress(GOOD)[:-9]), "cut short", id="cut short"),
        pytest.param(packed(GOOD), "packed wrongly", id="not packed at all"),
        pytest.param(packed(gzip.compress(gzip.compress(GOOD)), "gzip, gzip"), "not asked for", id="packed twice"),
        pytest.param(packed(zlib.compress(GOOD), "deflate"), "not asked for", id="another way"),
    ],
)
def test_a_packed_answer_is_unpacked_within_the_limit_or_refused(answer: bytes, told: str) -> None:
    """And takes no more memory than that."""
    with Scripted(lambda: iter((answer,))) as server:
        tracemalloc.start()
        try:
            with pytest.raises(FetchError, match=told):
                http.get(server.url, {})
            assert tracemalloc.get_traced_memory()[1] < 4 * http.MAX_BODY_BYTES
        finally:
            tracemalloc.stop()


def test_a_packed_answer_is_read() -> None:
    """Providers do pack."""
    with Scripted(lambda: iter((packed(gzip.compress(GOOD)),))) as server:
        assert http.get(server.url, {}) == (200, GOOD)


def test_a_packed_answer_that_never_gives_a_byte_is_left() -> None:
    """Empty blocks for ever: what is counted is what was sent."""
    beginning, nothing = gzip.compress(b"")[:10], b"\0\0\0\xff\xff" * 10000
    with (
        Scripted(lambda: chain((packed(beginning),), repeat(nothing))) as server,
        pytest.raises(FetchError, match="larger than"),
    ):
        http.get(server.url, {})


@pytest.mark.parametrize(
    "location", ["http://[", "//[::1", "http://\u2100/", "http://127.0.0.1:x/", "http://127.0.0.1:99999999/", "\0", ""]
)
def test_a_redirect_to_nowhere_is_one_failed_call(location: str) -> None:
    """Whatever is in it."""
    answer = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % location.encode()
    with Scripted(lambda: iter((answer,))) as server, pytest.raises(FetchError):
        http.get(server.url, {"access_key": "planted"})


def test_the_body_of_a_redirect_is_not_read() -> None:
    """It may be of any size."""
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n"
    with Scripted(lambda: chain((answer,), repeat(bytes(2**20), 64))) as server:
        assert_refused_within(4 * http.MAX_BODY_BYTES, lambda: http.get(server.url, {}))


@given(
    text=st.one_of(
        st.text(max_size=30),
        st.from_regex(r"-?[0-9]{1,30}", fullmatch=True),
        st.from_regex(
            r"(Mon, )?[0-9]{1,12} (Jan|Feb) -?[0-9]{1,12} [0-9]{1,12}:[0-9]{1,12}(:[0-9]{1,12})? [+-]?[0-9]{1,20}",
            fullmatch=True,
        ),
    )
)
def test_any_retry_after_is_seconds_or_nothing(text: str) -> None:
    """A date beyond the calendar too."""
    seconds = http._seconds(text)  # noqa: SLF001 - through a server each would take a connection
    assert seconds is None or seconds >= 0


NUMBERS = ["1E999999999", "-1E999999999", "1E-999999999", f"1E{'9' * 30}", "9" * 100_000, f"0.{'0' * 100_000}1"]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12])
def test_a_number_of_any_size_is_an_error_at_once(number: str) -> None:
    """As a rate, and as the time of the quotes: Python would work at 10 to the power of a billion for days."""
    listed = f'[{{"date":"2026-10-30","base":"EUR","quote":"USD","rate":{number}}}]'.encode()
    mapped = '{{"success":true,"timestamp":{},"base":"{}","date":"2026-10-30","rates":{{"GBP":{}}}}}'
    calls: list[Callable[[], RateTable]] = [
        lambda: frankfurter.parse(listed, TODAY),
        lambda: exchangeratesapi.parse(200, mapped.format(1, "EUR", number).encode(), TODAY),
        lambda: openexchangerates.parse(200, mapped.format(1793372400, "USD", number).encode(), TODAY),
    ]
    for call in calls:
        with pytest.raises(FetchError):
            call()
    try:  # a second after 1970, or none
        table = openexchangerates.parse(200, mapped.format(number, "USD", 1.1).encode(), TODAY)
    except FetchError:
        return
    assert table.prices["GBP"].date == dt.date(1970, 1, 1)


DOCTYPES = [
    '<!DOCTYPE x [<!ENTITY a "b">]><x/>',
    '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
    '<!DOCTYPE x PUBLIC "-//x" "http://127.0.0.1/x.dtd"><x/>',
    '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1/x"> %p;]><x/>',
    "<!DOCTYPE x><x/>",
]


@pytest.mark.parametrize("text", DOCTYPES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig", "latin-1"])
def test_xml_with_a_document_type_is_refused(text: str, encoding: str) -> None:
    """However it is written: no entity is ever resolved, inside or outside."""
    with pytest.raises(FetchError, match="declares a document type"):
        ecb.parse(text.encode(encoding), TODAY)


@pytest.mark.parametrize(
    "encoding", ["UTF-6", "rot13", "undefined", "idna", "utf-7", "cp037", "utf-16", "mbcs", "zlib"]
)
def test_xml_of_another_encoding_is_read_as_what_the_bank_writes(encoding: str) -> None:
    """No codec of that name is looked for: some are none, and some do more than to decode and raise anything."""
    cubes = "<Cube time='2026-10-30'><Cube currency='USD' rate='1.1172'/></Cube>"
    text = f"<?xml version='1.0' encoding='{encoding}'?>{CUBE}{cubes}</x>"
    assert f"{ecb.parse(text.encode(), TODAY).prices['USD'].rate:f}" == "1.1172"


def full(piece: str, before: str = "", after: str = "") -> bytes:
    """Repeat a piece until the answer is as large as may be."""
    return (before + piece * ((http.MAX_BODY_BYTES - len(before) - len(after)) // len(piece)) + after).encode()


SHAPES: dict[str, tuple[Callable[..., RateTable], str, str, str]] = {
    "numbers": (frankfurter.parse, "1,", "[", "1]"),
    "rows": (frankfurter.parse, '{"":1},', "[", "{}]"),
    "lists": (frankfurter.parse, "[],", "[", "[]]"),
    "a nest of lists": (frankfurter.parse, "[", "", ""),
    "a nest of elements": (ecb.parse, "<a>", "", ""),
    "rows of XML": (ecb.parse, "<Cube currency='' rate=''/>", CUBE, "</x>"),
}


@pytest.mark.parametrize(("parse", "piece", "before", "after"), SHAPES.values(), ids=list(SHAPES))
def test_no_answer_of_the_largest_size_takes_all_the_memory(
    parse: Callable[..., RateTable], piece: str, before: str, after: str
) -> None:
    """What Python makes of two megabytes may be much more than they are."""
    body = full(piece, before, after)
    assert_refused_within(MAX_MEMORY, lambda: parse(body, TODAY))


def assert_refused_within(memory: int, call: Callable[[], object]) -> None:
    """Call what is to fail, and look at the most memory that it took, in bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(FetchError):
            call()
        assert tracemalloc.get_traced_memory()[1] < memory
    finally:
        tracemalloc.stop()


TEXTS: dict[str, Callable[[], bytes]] = {
    "many lines": lambda: b"".join(b"%x\n" % number for number in range(2_000_000)),
    "wide lines": lambda: b"Date," + b"A," * 4_000_000 + b"\n2024-06-28," + b"1," * 4_000_000,
    "too large": lambda: bytes(ecb.MAX_HISTORY_BYTES + 1),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_no_archive_takes_all_the_memory(text: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed it is small."""
    body = archive(text())
    monkeypatch.setattr(http, "get", lambda *_: (200, body))
    assert_refused_within(MAX_MEMORY, lambda: ecb.fetch_days("http://ecb", None, [DAY], TODAY))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_is_unpacked_bit_by_bit_or_not_at_all(method: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of these two Python gives all that there is at once, whatever is asked for: gigabytes of two megabytes."""
    body = archive(bytes(4 * ecb.MAX_HISTORY_BYTES), method)
    assert len(body) < 20_000
    monkeypatch.setattr(http, "get", lambda *_: (200, body))
    assert_refused_within(ecb.MAX_HISTORY_BYTES, lambda: ecb.fetch_days("http://ecb", None, [DAY], TODAY))


def test_a_key_that_is_told_back_is_told_to_nobody() -> None:
    """In any place of an error's body."""
    key = "planted-by-the-tests"
    for parse in (exchangeratesapi.parse, openexchangerates.parse):
        for status in (200, 400, 401, 403, 404):
            error = {"code": key, "type": key, "info": key, "message": key}
            body = {"success": False, "error": error, "message": key, "description": key, "base": key, "date": key}
            with pytest.raises(FetchError) as caught:
                parse(status, json.dumps(body).encode(), TODAY)
            assert key not in repr(caught.value)


def test_a_certificate_of_nobody_is_refused() -> None:
    """What is no TLS at all is a failed connection."""
    with (
        Scripted(lambda: iter((HEAD,))) as server,
        pytest.raises(FetchError, match="the connection failed") as caught,
    ):
        http.get(server.url.replace("http:", "https:"), {"access_key": "planted"})
    assert not isinstance(caught.value.__cause__, ssl.SSLError)
