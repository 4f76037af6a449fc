"""A rate provider, or who is in its place, that answers so as to do harm: it costs a failed call, and no more."""

import gzip
import socket
import ssl
import threading
import time
import zlib
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.scripted import Scripted, assert_refused_within

from exchangerates.errors import FetchError
from exchangerates.providers import http
from exchangerates.providers.connections import Deadline

HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
GOOD = b'[{"date":"2026-10-30","base":"EUR","quote":"USD","rate":1.1172}]'
EVERY_S = 0.05


def packed(body: bytes, encoding: str = "gzip") -> bytes:
    """Give an answer with a packed body."""
    return HEAD + f"Content-Encoding: {encoding}\r\n\r\n".encode() + body


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
        assert_refused_within(4 * http.MAX_BODY_BYTES, lambda: http.get(server.url, {}), told)


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


def test_a_certificate_of_nobody_is_refused() -> None:
    """What is no TLS at all is a failed connection."""
    with (
        Scripted(lambda: iter((HEAD,))) as server,
        pytest.raises(FetchError, match="the connection failed") as caught,
    ):
        http.get(server.url.replace("http:", "https:"), {"access_key": "planted"})
    assert not isinstance(caught.value.__cause__, ssl.SSLError)
