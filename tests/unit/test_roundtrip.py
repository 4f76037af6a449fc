"""The operator's own requests, on servers that say whatever they like."""

import asyncio
import gzip
import json
from contextlib import suppress

import pytest
from tests.unit.plays import PLAIN, Server, answering, connected_to, serving

from exchangerates import connection
from exchangerates import session as sessions
from exchangerates.api import Key
from exchangerates.errors import ApiError, ApiUnreachable
from exchangerates.roundtrip import TooLarge

PACKED = gzip.compress(b'{"a":1}')


@pytest.mark.parametrize(
    ("answer", "stay"),
    [
        pytest.param(PLAIN, True, id="plain"),
        pytest.param(PLAIN.replace(b"200 OK", b"200 OK\r\nConnection: close"), False, id="the connection's last"),
        pytest.param(
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n',
            True,
            id="in chunks",
        ),
        pytest.param(b'HTTP/1.1 200 OK\r\n\r\n{"a":1}', False, id="until the connection ends"),
        pytest.param(b'HTTP/1.0 200 OK\r\n\r\n{"a":1}', False, id="of HTTP 1.0"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
            True,
            id="packed",
        ),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + PLAIN,
            True,
            id="after others of no account",
        ),
    ],
)
async def test_an_answer_of_any_form_is_read_and_the_next_request_gets_its_own(answer: bytes, *, stay: bool) -> None:
    """On the same connection where that may be."""
    async with serving(answering(answer, stay=stay)) as server, connected_to(server.url) as (api, _):
        assert await api.request("PATCH", "/one", {}) == {"a": 1}
        assert await api.request("GET", "/two") == {"a": 1}
        assert server.connections == (1 if stay else 2)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(b"SSH-2.0-OpenSSH_9\r\n", "no HTTP: Bad status line", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: %b\r\n\r\n" % (b"x" * 20_000), "more than 8190 bytes", id="a long header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nSet-Cookie: secret\r\nContent-Le", "disconnected", id="cut in the headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "1 of 9 bytes", id="cut in the content"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", "chunk size", id="no chunk"),
        pytest.param(b"", "disconnected", id="none"),
    ],
)
async def test_an_answer_that_is_none_is_an_outage_told_in_one_line(answer: bytes, told: str) -> None:
    """Without what the server has said in headers."""
    async with serving(answering(answer, stay=False)) as server, connected_to(server.url) as (api, _):
        with pytest.raises(ApiUnreachable, match=told) as caught:
            await api.request("PATCH", "/one", {})
        assert not any(part in str(caught.value) for part in ("\n", "secret"))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(
            b"HTTP/1.1 302 Found\r\nLocation: /two\r\nContent-Length: 0\r\n\r\n", "redirects", id="a redirect"
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", "no message", id="no content"),
        pytest.param(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n",
            "no message",
            id="another protocol",
        ),
    ],
)
async def test_an_answer_that_no_api_server_gives_is_an_error_at_once(answer: bytes, told: str) -> None:
    """And nothing is sent elsewhere: it has the token."""
    async with serving(answering(answer)) as server, connected_to(server.url) as (api, _):
        with pytest.raises(ApiError, match=told):
            await api.request("GET", "/one")
        assert len(server.heads) == 1


async def test_the_answer_to_a_cancelled_request_is_not_the_next_ones() -> None:
    """The server goes on with it."""
    asked, cancelled = asyncio.Event(), asyncio.Event()

    async def play(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.asked(reader)
        if server.connections == 1:
            asked.set()
            await cancelled.wait()
            writer.write(PLAIN.replace(b"a", b"b"))
        writer.write(PLAIN)

    async with serving(play) as server, connected_to(server.url) as (api, _):
        request = asyncio.create_task(api.request("GET", "/one"))
        await asked.wait()
        request.cancel()
        await asyncio.wait([request])
        cancelled.set()
        assert await api.request("GET", "/two") == {"a": 1}


async def test_what_comes_while_a_connection_rests_answers_nothing() -> None:
    """It was not asked for."""
    async with (
        serving(answering(PLAIN)) as server,
        connected_to(server.url) as (api, session),
    ):
        await api.request("GET", "/one")
        connector = session.client.connector
        assert connector is not None
        ((protocol, _),) = next(iter(connector._conns.values()))  # noqa: SLF001 - nothing else tells when it has come
        protocol.data_received(PLAIN.replace(b"a", b"b"))
        with pytest.raises(ApiUnreachable, match="not asked for"):
            await api.request("PATCH", "/two", {})
        assert await api.request("GET", "/three") == {"a": 1}
        assert (len(server.heads), server.connections) == (2, 2)


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("DELETE", 2), ("PATCH", 1), ("POST", 1)])
async def test_what_a_server_cuts_is_sent_again_where_twice_is_as_once(method: str, times: int) -> None:
    """It may end a connection that has rested just when it is used again."""

    async def play(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.asked(reader)
        writer.write(PLAIN)
        if server.connections == 1:
            await server.asked(reader)

    async with serving(play) as server, connected_to(server.url) as (api, _):
        await api.request("GET", "/one")
        with suppress(ApiUnreachable):
            assert await api.request(method, "/two") == {"a": 1}
        assert [head.split()[1] for head in server.heads[1:]] == [b"/two"] * times


async def test_a_server_without_tls_is_told_and_asked_once() -> None:
    """As is one that has another authority's certificate."""

    async def play(_: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(PLAIN)

    async with serving(play) as server, connected_to(server.url.replace("http:", "https:")) as (api, _):
        with pytest.raises(ApiUnreachable, match="Cannot connect to host"):
            await api.request("GET", "/one")
        assert server.connections == 1


async def test_silence_is_told_with_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error itself has no text."""
    monkeypatch.setattr(connection, "TIMEOUT_S", 0.1)
    async with serving(answering(b"")) as server, connected_to(server.url) as (api, _):
        with pytest.raises(ApiUnreachable, match=r"within 0\.1 s"):
            await api.request("GET", "/one")


async def test_an_answer_that_is_too_large_is_not_read_to_its_end() -> None:
    """A packed one counts as what it is unpacked."""
    text = gzip.compress(b" " * 1_000_000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
    async with serving(answering(answer)) as server, connected_to(server.url) as (api, _):
        with pytest.raises(TooLarge):
            await api.request("GET", "/one", most=100_000)


async def test_a_large_body_arrives_whole() -> None:
    """More than a socket takes at once."""
    async with serving(answering(PLAIN)) as server, connected_to(server.url) as (api, _):
        await api.request("PATCH", "/one", {"x": "y" * 4_000_000})
        await api.request("GET", "/two")
        assert ([len(body) for body in server.bodies], server.connections) == ([4_000_008, 0], 1)


async def test_who_waits_for_a_connection_is_told_that_the_session_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker must not end as if it had been cancelled itself."""
    monkeypatch.setattr(sessions, "CALLS", -1)  # and one for each of two watches
    asked = asyncio.Event()

    async def play(server: Server, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.asked(reader)
        asked.set()
        await reader.read()

    async with serving(play) as server, connected_to(server.url) as (api, session):
        requests = [asyncio.create_task(api.request("PATCH", "/one", {})) for _ in range(2)]
        await asked.wait()
        await session.client.close()
        await asyncio.wait(requests)
        assert not any(request.cancelled() for request in requests)
        assert {type(request.exception()) for request in requests} == {ApiUnreachable}
        assert len(server.heads) == 1


async def test_whatever_a_text_has_is_sent() -> None:
    """A rate provider may have said half a character, and a status tells what it has said."""
    body = {"data": {Key.RATE: "1.1172", Key.QUOTE: "\ud83d é"}}
    async with serving(answering(PLAIN)) as server, connected_to(server.url) as (api, _):
        await api.request("PATCH", "/one", body)
        assert json.loads(server.bodies[0]) == body
