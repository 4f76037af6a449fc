"""The stand-in for the rate providers."""

import datetime as dt
import socket
import threading
import time

import pytest

from exchangerates.providers import PROVIDERS
from exchangerates.rates import RateTable
from localcluster.rateserver import Fault, RateServer, table_of

TODAY = dt.date(2026, 11, 2)


def fetch(rates: RateServer, provider: str, key: str | None = None) -> RateTable:
    """Make one call."""
    return PROVIDERS[provider].fetch(rates.url(provider), key or rates.key, TODAY)


def test_the_stand_in_replays_history_and_skips_weekends() -> None:
    """With the digits that the ECB printed."""
    assert table_of(dt.date(2024, 6, 30)).date == dt.date(2024, 6, 28)
    assert table_of(dt.date(2024, 6, 28)).rates["USD"] == "1.0705"
    with pytest.raises(LookupError, match="1998"):
        table_of(dt.date(1998, 1, 1))


def test_the_stand_in_stays_on_loopback() -> None:
    """Other addresses are refused."""
    with pytest.raises(ValueError, match="loopback"):
        RateServer(host="0.0.0.0")  # noqa: S104 - this is what must be refused


def test_the_stand_in_ends_while_a_request_hangs() -> None:
    """Closing does not wait for its clients."""
    with RateServer() as server:
        server.fail("ecb", Fault.HANG)
        client = socket.create_connection(("127.0.0.1", int(server.server_address[1])), timeout=30)
        client.sendall(b"GET /ecb/stats/eurofxref/eurofxref-daily.xml HTTP/1.1\r\nHost: x\r\n\r\n")
        deadline = time.monotonic() + 30
        while not server.calls["ecb"] and time.monotonic() < deadline:
            threading.Event().wait(0.01)
    assert client.recv(1) == b""
    client.close()
