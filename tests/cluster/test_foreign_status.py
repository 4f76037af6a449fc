"""A status that somebody else writes, with the rights to do so: put back as it was, and never published."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from tests.cluster.conftest import Audit, Namespace, Operator, eventually

from exchangerates.api import API_VERSION, PLURAL
from localcluster.client import Client
from localcluster.rateserver import Fault, RateServer

NAME = "exchange-rate-usd"


@pytest.mark.parametrize("down", [False, True], ids=["well", "no provider answers"])
def test_a_forged_rate_of_today_is_never_published(
    operator: Operator,
    namespace: Namespace,
    client: Client,
    rates: RateServer,
    audit: Callable[[], Audit],
    *,
    down: bool,
) -> None:
    """It looks newer than anything that is quoted. One write puts the status back, and nobody is asked for that."""
    assert operator.process.pid
    namespace.rate(maxChangePercent="5")
    namespace.wait()
    status, before = namespace.get(NAME)["status"], namespace.config_map()
    if down:
        rates.fail("frankfurter", Fault.HTTP_500)
        rates.fail("ecb", Fault.HTTP_500)
    log, calls = audit(), rates.calls.total()
    entry = {**status["rates"][0], "rate": "999", "date": dt.datetime.now(dt.UTC).date().isoformat()}
    forge(client, namespace, {"rates": [entry]})
    eventually(lambda: namespace.get(NAME)["status"] == status, "the status is put back")
    assert namespace.config_map() == before, "which is written before the status"
    assert log.writes() == [f"patch {path(namespace)}/status?fieldManager=exchange-rate-operator"]
    assert rates.calls.total() == calls


def path(namespace: Namespace) -> str:
    """Give the object's path at the API server."""
    return f"/apis/{API_VERSION}/namespaces/{namespace.name}/{PLURAL}/{NAME}"


def forge(client: Client, namespace: Namespace, status: dict[str, Any]) -> None:
    """Write into the object's status as an administrator."""
    patch = {"status": status}
    forged = client.request("PATCH", f"{path(namespace)}/status", patch, kind="application/merge-patch+json")
    assert status.items() <= forged["status"].items()
