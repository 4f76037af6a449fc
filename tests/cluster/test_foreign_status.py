"""A status that somebody else writes, with the rights to do so: put back as it was, and never published."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.audit import Audit
from tests.cluster.operator_process import Operator, operator_environment
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, PLURAL
from exchangerates_infra.recorder import Recording
from localcluster.client import Client
from localcluster.rateserver import Fault, RateServer

NAME = "exchange-rate-usd"
OBJECTS = 20


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


@pytest.fixture
def second(operator: Operator, recording: Recording, rates: RateServer, tmp_path: Path) -> Iterator[Operator]:
    """A second operator over the same objects, which nobody should have."""
    assert operator.process.pid
    made = Operator(tmp_path / "second", tmp_path / "operator.kubeconfig", operator_environment(recording, rates))
    made.start()
    yield made
    made.stop()


def test_two_operators_come_to_rest(
    operator: Operator, second: Operator, namespace: Namespace, client: Client, audit: Callable[[], Audit]
) -> None:
    """Both make the same objects, and look at them again: neither puts back what the other one wrote for ever."""
    names = [f"rate-{number}" for number in range(OBJECTS)]
    for name in names:
        namespace.rate(name)
    for name in names:
        namespace.wait(name)
    looks = itertools.count()

    def at_rest() -> bool:
        """Have both look at all objects again, by a stranger's label; tell whether that wrote nothing."""
        log, before = audit(), [found.passes("Published") for found in (operator, second)]
        labels = {"metadata": {"labels": {"look": str(next(looks))}}}
        for name in names:
            config_map = f"/api/v1/namespaces/{namespace.name}/configmaps/{name}"
            client.request("PATCH", config_map, labels, kind="application/merge-patch+json")
        for found, passes in zip((operator, second), before, strict=True):
            eventually(lambda f=found, p=passes: f.passes("Published") >= p + OBJECTS, "all are looked at", 90.0)  # type: ignore[misc] # bound now
        return log.writes() == []

    eventually(at_rest, "neither writes any more", 180.0)
    assert {namespace.data(name)["rate"] for name in names} == {"1.1172"}


def path(namespace: Namespace) -> str:
    """Give the object's path at the API server."""
    return f"/apis/{API_VERSION}/namespaces/{namespace.name}/{PLURAL}/{NAME}"


def forge(client: Client, namespace: Namespace, status: dict[str, Any]) -> None:
    """Write into the object's status as an administrator."""
    patch = {"status": status}
    forged = client.request("PATCH", f"{path(namespace)}/status", patch, kind="application/merge-patch+json")
    assert status.items() <= forged["status"].items()
