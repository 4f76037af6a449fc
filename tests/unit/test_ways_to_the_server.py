"""Addresses, proxies and tokens of requests to an API server, as the server or the proxy sees them."""

from pathlib import Path

import aiohttp
import pytest
from tests.unit.kubeconfigs import write
from tests.unit.plays import PLAIN, TOKEN, Tokens, answering, connected_to, serving, with_password

from exchangerates import handlers
from exchangerates.cluster import Cluster
from exchangerates.errors import ApiUnreachable, CredentialsError


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


@pytest.mark.parametrize(
    ("server", "authority", "told"),
    [
        pytest.param(
            "https://me:secret@192.0.2.1/a", "bm9uZQ==", r"for https://192\.0\.2\.1 cannot be used", id="no PEM"
        ),
        pytest.param("https://m%3Ae:secret@192.0.2.1", "", "password .* cannot be sent", id="a colon in the user"),
    ],
)
async def test_what_keeps_from_logging_in_is_told_without_the_addresss_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str, authority: str, told: str
) -> None:
    """And no traceback."""
    file = write(tmp_path / "config", {}, **{"server": server, "certificate-authority-data": authority})
    monkeypatch.setenv("KUBECONFIG", str(file))
    with pytest.raises(CredentialsError, match=told) as caught:
        await handlers.log_in(Cluster(), lambda _: None)
    assert "secret" not in str(caught.value)
