"""The operator's own requests, on servers that say whatever they like."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias

import aiohttp
import pytest

from exchangerates import connection
from exchangerates import session as sessions
from exchangerates.connection import Connection
from exchangerates.errors import ApiError, ApiUnreachable
from exchangerates.news import NOTHING
from exchangerates.roundtrip import TooLarge
from exchangerates.session import Session, open_session

Play: TypeAlias = Callable[["Server", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
DEADLINE_S: Final = 60.0
TOKEN: Final = "t0ken"
PLAIN: Final = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}'


class Server:
    """Counts its connections, and keeps what it was asked."""

    def __init__(self) -> None:
        self.url, self.connections = "", 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    async def asked(self, reader: asyncio.StreamReader) -> None:
        """Wait for a request."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
        self.bodies.append(await reader.readexactly(int(length or b"0")))
        self.heads.append(head)


@asynccontextmanager
async def serving(play: Play, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    """Play this to each connection on loopback, and end it afterwards."""
    server, playing = Server(), set[asyncio.Task[None] | None]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        playing.add(asyncio.current_task())
        server.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await play(server, reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(connected, host, 0) as listening, asyncio.timeout(DEADLINE_S):
        port = listening.sockets[0].getsockname()[1]
        server.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        yield server
        await asyncio.gather(*filter(None, playing))


def answering(first: bytes, *, stay: bool = True) -> Play:
    """Give the first request of a connection this answer, and then end it or give plain ones."""

    async def play(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.asked(reader)
        writer.write(first)
        while stay:
            await server.asked(reader)
            writer.write(PLAIN)

    return play


class Tokens:
    """Has one token."""

    def __init__(self, token: str = TOKEN) -> None:
        self._token = token

    async def token(self) -> str:
        """Give it."""
        return self._token

    def refused(self) -> None:
        """Have no other."""


@asynccontextmanager
async def connected_to(
    server: str, *, tokens: Tokens | None = None, authorization: str = "", proxy: str | None = None
) -> AsyncIterator[tuple[Connection, Session]]:
    """Give a connection to a server."""
    headers = {"Authorization": authorization} if authorization else {}
    session = open_session(
        server,
        ssl.create_default_context(),
        headers,
        tokens,
        watching=lambda _: None,
        known=NOTHING,
        namespaces=1,
        proxy=proxy,
    )
    found = Connection()
    found.connect(session)
    async with session.client:
        yield found, session


def with_password(url: str, user: str = "somebody:secret") -> str:
    """Give an address with user and password."""
    return url.replace("//", f"//{user}@")


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


async def test_no_request_of_kopfs_follows_a_redirect() -> None:
    """It would have the token with it, on another host too."""
    redirect = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: %b/two\r\nContent-Length: 0\r\n\r\n"
    async with (
        serving(answering(PLAIN)) as other,
        serving(answering(redirect % other.url.encode(), stay=False)) as server,
        connected_to(server.url, authorization=f"Bearer {TOKEN}") as (_, session),
    ):
        with pytest.raises(aiohttp.ClientConnectionError, match="redirects"):
            await session.client.get(f"{server.url}/one")
        assert other.heads == []


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


@pytest.mark.parametrize(
    ("prefix", "target"),
    [
        pytest.param("", "/api?limit=5", id="none"),
        pytest.param("/", "/api?limit=5", id="a slash"),
        pytest.param("/k8s/c-1/", "/k8s/c-1/api?limit=5", id="a path"),
        pytest.param("/a%2Fb/c%20d", "/a%2Fb/c%20d/api?limit=5", id="percent-encoded"),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_servers_address_may_have_a_path(host: str, prefix: str, target: str) -> None:
    """All others begin with it."""
    async with serving(answering(PLAIN), host) as server, connected_to(with_password(server.url + prefix)) as (api, _):
        await api.request("GET", "/api", params={"limit": "5"})
        lines = server.heads[0].decode().split("\r\n")
        assert lines[0] == f"GET {target} HTTP/1.1"
        assert {f"Host: {server.url.removeprefix('http://')}", "Authorization: Basic c29tZWJvZHk6c2VjcmV0"} < {*lines}


async def test_a_token_goes_before_a_password() -> None:
    """For the operator's own requests as for Kopf's."""
    async with (
        serving(answering(PLAIN)) as server,
        connected_to(server.url, tokens=Tokens(), authorization="Basic eDp5") as (api, session),
    ):
        await api.request("GET", "/one")
        async with session.client.post(f"{server.url}/two"):
            for head in server.heads:
                assert head.count(b"Authorization") == head.count(f"Bearer {TOKEN}\r\n".encode()) == 1
        assert len(server.heads) == 2


async def test_a_fixed_token_goes_with_each_request() -> None:
    """For the operator's own requests as for Kopf's."""
    async with (
        serving(answering(PLAIN)) as server,
        connected_to(server.url, authorization=f"Bearer {TOKEN}") as (api, session),
    ):
        await api.request("GET", "/one")
        async with session.client.post(f"{server.url}/two"):
            assert [f"Bearer {TOKEN}\r\n".encode() in head for head in server.heads] == [True, True]


async def test_a_fixed_token_beside_a_password_in_the_address_is_an_outage_that_says_so() -> None:
    """Neither is sent."""
    async with (
        serving(answering(PLAIN)) as server,
        connected_to(with_password(server.url), authorization=f"Bearer {TOKEN}") as (api, _),
    ):
        with pytest.raises(ApiUnreachable, match="cannot combine") as told:
            await api.request("GET", "/one")
        assert "secret" not in str(told.value)
        assert server.heads == []


@pytest.mark.parametrize(
    ("path", "token"),
    [
        pytest.param("/a HTTP/1.1\r\nX: y", TOKEN, id="lines in the path"),
        pytest.param("/a b", TOKEN, id="a space"),
        pytest.param("/é", TOKEN, id="no ASCII"),
        pytest.param("/a", f"{TOKEN}\r\nX: y", id="lines in the token"),
    ],
)
async def test_what_would_be_another_request_is_not_sent(path: str, token: str) -> None:
    """And the token is not told."""
    async with serving(answering(PLAIN)) as server, connected_to(server.url, tokens=Tokens(token)) as (api, _):
        with pytest.raises(ApiUnreachable, match="cannot be sent") as told:
            await api.request("GET", path)
        assert TOKEN not in str(told.value)
        assert server.heads == []


async def test_a_proxy_is_given_the_whole_address_and_its_password_from_the_first_request_on() -> None:
    """A server without TLS is asked through it."""
    async with (
        serving(answering(PLAIN)) as proxy,
        connected_to("http://[2001:db8::1]:81/k8s", tokens=Tokens(), proxy=with_password(proxy.url)) as (api, _),
    ):
        assert await api.request("GET", "/one", params={"limit": "5"}) == {"a": 1}
        lines = proxy.heads[0].decode().split("\r\n")
        assert lines[0] == "GET http://[2001:db8::1]:81/k8s/one?limit=5 HTTP/1.1"
        assert "Proxy-Authorization: Basic c29tZWJvZHk6c2VjcmV0" in lines


async def test_a_proxy_that_refuses_is_told_without_its_password_and_gets_no_token() -> None:
    """Neither with the operator's own requests nor with Kopf's."""
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(refusal, stay=False)) as proxy:
        async with connected_to("https://127.0.0.1:9", proxy=with_password(proxy.url)) as (api, _):
            with pytest.raises(ApiUnreachable, match="the proxy answers HTTP 407") as told:
                await api.request("GET", "/one")
            assert "secret" not in str(told.value)
        async with connected_to("https://127.0.0.1:9", authorization=f"Bearer {TOKEN}", proxy=proxy.url) as (
            api,
            session,
        ):
            with pytest.raises(ApiUnreachable):
                await api.request("GET", "/one")
            with pytest.raises(aiohttp.ClientError):
                await session.client.get("https://127.0.0.1:9/one")
        assert len(proxy.heads) == 3
        assert TOKEN.encode() not in b"".join(proxy.heads)


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
