"""What the start waits for: an API server that serves the kind."""

import asyncio

import pytest
from tests.unit.fast_loop import run_fast

from exchangerates import crd
from exchangerates.cluster import Cluster
from exchangerates.errors import ApiError, CrdMissing

LONG_S = 600.0


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_an_api_server_that_refuses_is_waited_for(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Ending would not help: Kubernetes would start the process ever more rarely. A missing CRD is another thing."""
    times = list[float]()

    async def serves(*_: object) -> bool:
        times.append(asyncio.get_running_loop().time())
        if times[-1] < times[0] + LONG_S:
            raise ApiError(status, {})
        return True

    monkeypatch.setattr(Cluster, "serves_exchange_rates", serves)
    run_fast(crd.wait_for(Cluster(), (None,)))
    assert times[-1] - times[0] < LONG_S + 2.0


def test_a_kind_that_is_not_known_is_waited_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the process ends, and says what to do."""

    async def serves(*_: object) -> bool:
        return False

    monkeypatch.setattr(Cluster, "serves_exchange_rates", serves)
    with pytest.raises(CrdMissing, match="did not appear within 60 s"):
        run_fast(crd.wait_for(Cluster(), (None,)))


def test_one_namespace_that_may_be_read_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first of them has lost its Role, the start does not wait for it."""

    async def serves(_: Cluster, namespace: str | None) -> bool:
        if namespace == "lost":
            raise ApiError(403, {})
        return True

    monkeypatch.setattr(Cluster, "serves_exchange_rates", serves)
    run_fast(asyncio.wait_for(crd.wait_for(Cluster(), ("lost", "default")), crd.POLL_S / 2))
