"""What the kubelet is answered, and what is left of it to read."""

import logging

import aiohttp
import pytest

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
