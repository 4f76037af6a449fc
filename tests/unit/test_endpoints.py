"""What the kubelet is answered, and what is left of it to read."""

import logging
import socket

import aiohttp
import pytest
from yarl import URL

from exchangerates.endpoints import serving


async def test_what_has_stalled_is_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Kubernetes' events have the status of a failed probe alone; while all is well nothing is logged."""
    found: list[str] = []
    caplog.set_level(logging.INFO, "exchangerates")
    async with (
        serving("127.0.0.1", 0, problems=lambda: found, ready=lambda: True, metrics=lambda: b"") as port,
        aiohttp.ClientSession() as session,
    ):
        address = f"http://127.0.0.1:{port}/healthz"
        async with session.get(address) as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
        assert caplog.messages == []
        found += ["the dispatcher has not run for 601 s", "the watch of ConfigMaps is deaf"]
        async with session.get(address) as answer:
            assert (answer.status, await answer.text()) == (500, "\n".join(found))
    assert [(record.levelname, all(part in record.message for part in found)) for record in caplog.records] == [
        ("ERROR", True)
    ]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
async def test_without_a_host_every_address_is_served(family: socket.AddressFamily) -> None:
    """A Pod may have an IPv6 address alone, or none."""
    host = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}[family]
    try:
        with socket.create_server((host, 0), family=family) as free:
            port = free.getsockname()[1]
    except OSError:
        pytest.skip(f"this machine has no {host}")
    async with (
        serving("", port, problems=list, ready=lambda: True, metrics=lambda: b""),
        aiohttp.ClientSession() as session,
        session.get(URL.build(scheme="http", host=host, port=port, path="/readyz")) as answer,
    ):
        assert answer.status == 200
