"""TLS to rate providers: private authorities are trusted besides the public ones, never instead of them."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.locked_down import Authority, ForwardProxy

from exchangerates.api import Env
from exchangerates.errors import FetchError
from exchangerates.providers import http
from localcluster.rateserver import RateServer

PARAMS = {"base": "EUR"}


@pytest.fixture
def private(tmp_path: Path) -> Authority:
    """The company's authority."""
    return Authority(tmp_path, "private")


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """What stands for the public authorities, where `requests` is told to find them."""
    made = Authority(tmp_path, "public")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made.file))
    return made


def serve(authority: Authority) -> RateServer:
    """Give a rate server with a certificate of an authority."""
    server = RateServer()
    server.socket = authority.server_context("127.0.0.1").wrap_socket(server.socket, server_side=True)
    server.replay(dt.date(2026, 10, 30))
    return server


@pytest.fixture
def private_server(private: Authority) -> Iterator[RateServer]:
    """A rate server with a private certificate."""
    with serve(private) as server:
        yield server


@pytest.fixture
def public_server(public: Authority) -> Iterator[RateServer]:
    """A rate server with a public certificate."""
    with serve(public) as server:
        yield server


def status(server: RateServer) -> int:
    """Fetch from a server over TLS and give the HTTP status."""
    return http.get(server.url("frankfurter").replace("http://", "https://") + "/v2/rates", PARAMS)[0]


def test_a_private_authority_is_trusted_besides_the_public_ones(
    private: Authority, private_server: RateServer, public_server: RateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A self-hosted first provider and a public fallback: both answer."""
    monkeypatch.setenv(Env.CA_FILE, str(private.file))
    assert status(private_server) == 200
    assert status(public_server) == 200


def test_a_certificate_of_nobodys_is_refused(
    private_server: RateServer, public_server: RateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the file only the public ones are trusted."""
    monkeypatch.delenv(Env.CA_FILE, raising=False)
    assert status(public_server) == 200
    with pytest.raises(FetchError, match="SSLError"):
        status(private_server)


def test_it_is_trusted_through_a_proxy_too(
    private: Authority, private_server: RateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tunnel changes nothing about who is trusted; hosts in NO_PROXY are reached directly."""
    monkeypatch.setenv(Env.CA_FILE, str(private.file))
    where = f"127.0.0.1:{private_server.server_port}"
    with ForwardProxy({where: ("127.0.0.1", private_server.server_port)}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        assert status(private_server) == 200
        assert proxy.asked == [where]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert status(private_server) == 200
        assert proxy.asked == [where]


def test_a_file_that_went_away_is_a_failed_call(private_server: RateServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error of the call, told like others, and not the end of the operator."""
    monkeypatch.setenv(Env.CA_FILE, "/nowhere/ca.crt")
    with pytest.raises(FetchError, match="the connection failed"):
        status(private_server)
