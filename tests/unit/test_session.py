"""The session to the API server, on a real HTTP server whose watches hang as an API server's do."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import kopf
import pytest
from aiohttp import web
from tests.unit.kubeconfigs import log_in, without_tls

from exchangerates import connection, handlers
from exchangerates.agenda import Agenda
from exchangerates.cluster import Cluster
from exchangerates.controller import WORKERS
from exchangerates.errors import ApiError, ApiUnreachable
from exchangerates.informer import Informer
from exchangerates.news import NOTHING, Known
from exchangerates.observed import Observed
from exchangerates.session import Session, open_session
from exchangerates.tokens import TokenSource

NAMESPACES = tuple(f"team-{number}" for number in range(40))
DEADLINE_S = 60.0


class WatchServer:
    """An API server without objects: the watches that are open at it, and the paths that nobody may read."""

    def __init__(self) -> None:
        self.url = ""
        self.opened = asyncio.Semaphore(0)
        self.refused: set[str] = set()
        self.unauthorized = False
        self.more = False
        self.authorization = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a list with nothing; let a watch hang."""
        self.authorization = request.headers.get("Authorization", "")
        if self.unauthorized:
            return web.json_response({"kind": "Status", "message": "Unauthorized"}, status=401)
        if request.path in self.refused:
            return web.json_response({"kind": "Status"}, status=403)
        if request.query.get("watch") != "true":
            metadata = {"continue": "next"} if self.more else {}
            return web.json_response({"kind": "ExchangeRateList", "items": [], "metadata": metadata})
        response = web.StreamResponse()
        await response.prepare(request)
        self.opened.release()
        await asyncio.Event().wait()
        return response


@asynccontextmanager
async def serving() -> AsyncIterator[WatchServer]:
    """Run the server on loopback."""
    server, app = WatchServer(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


def opened(server: str, tokens: TokenSource | None, watching: Callable[[str], None] = lambda _: None) -> Session:
    """Open a session, as `handlers.log_in` does."""
    trust = ssl.create_default_context()
    return open_session(server, trust, {}, tokens, watching=watching, known=NOTHING, namespaces=1)


async def watch(client: aiohttp.ClientSession, url: str) -> None:
    """Hold one watch open."""
    async with client.get(url, params={"watch": "true"}, timeout=aiohttp.ClientTimeout(total=None)) as response:
        await response.content.read()


def test_the_watches_of_forty_namespaces_leave_room_for_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session is the one that Kopf logs in with: its two watches per namespace never end."""
    informer = Informer(Cluster(), Agenda(Observed(), lambda: 0.0, lambda: None), NAMESPACES, 600.0)

    async def story() -> None:
        async with serving() as server, asyncio.timeout(DEADLINE_S):
            monkeypatch.setenv("KUBECONFIG", without_tls(tmp_path / "config", server.url))
            cluster, registry = Cluster(), kopf.OperatorRegistry()
            work = asyncio.create_task(asyncio.sleep(0))
            handlers.register_session(registry, informer, cluster, work, lambda _: None)
            client = (await log_in(registry)).aiohttp_session
            urls = [f"{server.url}/{namespace}/{kind}" for namespace in NAMESPACES for kind in ("a", "b")]
            watches = [asyncio.create_task(watch(client, url)) for url in urls]
            for _ in watches:
                await server.opened.acquire()
            assert await asyncio.gather(*(cluster.request("GET", "/lists") for _ in range(WORKERS)))
            for task in watches:
                task.cancel()
            await asyncio.wait(watches)
            await client.close()

    asyncio.run(story())


def test_a_watch_that_is_refused_is_none_that_was_opened() -> None:
    """Kopf tries it again every few seconds; each would have everything listed anew."""
    told = asyncio.Queue[str]()

    async def story() -> None:
        async with serving() as server, asyncio.timeout(DEADLINE_S):
            server.refused.add("/lost")
            client = opened(server.url, None, told.put_nowait).client
            await watch(client, f"{server.url}/lost")
            hanging = asyncio.create_task(watch(client, f"{server.url}/default"))
            assert await told.get() == "/default"
            hanging.cancel()
            await asyncio.wait({hanging})
            await client.close()

    asyncio.run(story())


class Tokens:
    """Gives tokens when it is told to."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.asked = asyncio.Event()
        self.was_refused = False

    async def token(self) -> str:
        """Give a token, sooner or later."""
        self.asked.set()
        await self.may.wait()
        return "token"

    def refused(self) -> None:
        """Note that a token was refused."""
        self.was_refused = True


@asynccontextmanager
async def connected(tokens: Tokens, address: str | None = None) -> AsyncIterator[tuple[WatchServer, Cluster]]:
    """Run the server, and give a cluster that is connected to it with these tokens."""
    async with serving() as server, asyncio.timeout(DEADLINE_S):
        session = opened(address or server.url, tokens)
        cluster = Cluster()
        cluster.connect(session)
        async with session.client:
            yield server, cluster


async def test_a_token_that_does_not_come_ends_a_request_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin may hang, and whoever waits for it has a pass to make."""
    monkeypatch.setattr(connection, "TIMEOUT_S", 0.1)
    async with connected(Tokens()) as (_, cluster):
        with pytest.raises(ApiUnreachable, match="no answer from the API server"):
            await cluster.request("GET", "/lists")


async def test_a_session_that_is_closed_while_the_token_is_awaited_is_an_outage() -> None:
    """Kopf logs in anew when a token is refused, and closes the session that the plugin still runs for."""
    tokens = Tokens()
    async with connected(tokens) as (_, cluster):
        request = asyncio.create_task(cluster.request("GET", "/lists"))
        await tokens.asked.wait()
        session = cluster._session  # noqa: SLF001
        assert session is not None
        await session.client.close()
        tokens.may.set()
        with pytest.raises(ApiUnreachable, match="being renewed"):
            await request


async def test_a_token_that_is_refused_is_told_to_who_gave_it() -> None:
    """It is sent with the operator's own requests, too."""
    tokens = Tokens()
    tokens.may.set()
    async with connected(tokens) as (server, cluster):
        await cluster.request("GET", "/lists")
        assert (server.authorization, tokens.was_refused) == ("Bearer token", False)
        server.unauthorized = True
        with pytest.raises(ApiError, match="401"):
            await cluster.request("GET", "/lists")
        assert tokens.was_refused


async def test_a_password_in_the_address_beside_a_token_is_an_outage_that_says_so() -> None:
    """And no traceback, nor the end of the operator."""
    tokens = Tokens()
    tokens.may.set()
    async with connected(tokens, "http://somebody:secret@127.0.0.1:9") as (_, cluster):
        with pytest.raises(ApiUnreachable, match="a password") as told:
            await cluster.request("GET", "/lists")
        assert "secret" not in str(told.value)


async def test_kopfs_lists_are_known_by_the_path_of_the_operators_own_also_where_it_is_percent_encoded() -> None:
    """Else a list that was made just now would be made again."""
    asked = list[str]()

    async def listed_at(path: str) -> None:
        asked.append(path)

    async with serving() as server, asyncio.timeout(DEADLINE_S):
        server.more = True
        session = open_session(
            f"{server.url}/a%2Fb/%C3%A9",
            ssl.create_default_context(),
            {},
            None,
            watching=lambda _: None,
            known=Known(listed_at=listed_at),
            namespaces=1,
        )
        cluster = Cluster()
        cluster.connect(session)
        async with session.client, session.client.get(f"{server.url}/a%2Fb/%C3%A9/lists") as response:
            await response.read()
        assert asked == [cluster._path_of("/lists")] == ["/a%2Fb/%C3%A9/lists"]  # noqa: SLF001
