"""The API server is killed, forgets, and refuses: nothing wrong is published meanwhile, and nothing is forgotten."""

import random
from collections.abc import Callable, Iterator
from http import HTTPStatus

import pytest
from tests.cluster.waiting import eventually
from tests.faults.faults import Churn, api_server_killed, compact_etcd, rights_taken
from tests.faults.gate import well
from tests.faults.meddling import answering
from tests.faults.scene import Scene, scene

from exchangerates_infra.recorder import Recording
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.processes import wait_until
from localcluster.stack import AppliedStack

STEPS = 40
"""Of creations, changes and deletions during a fault."""


@pytest.fixture(scope="module")
def broken(
    start_control_plane: Callable[[], ControlPlane], recording: Recording, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """An operator on a control plane that may be broken."""
    control_plane, directory = start_control_plane(), tmp_path_factory.mktemp("broken")
    with Client(control_plane.kubeconfig) as client:
        AppliedStack(client, directory / "applied.json").apply(recording.manifests())
    with scene(control_plane, recording, directory) as made:
        made.namespace("faults")
        made.one_of_each("faults", "rate")
        made.settle("faults")
        yield made
    control_plane.stop()


@pytest.fixture(scope="module")
def churn(broken: Scene) -> Churn:
    """What users do meanwhile."""
    return Churn(broken, "faults", random.Random(7))  # noqa: S311 - says what happens


@pytest.mark.parametrize("down_s", [2.0, 60.0])
def test_an_api_server_that_is_killed_is_missed_by_nobody(broken: Scene, churn: Churn, down_s: float) -> None:
    """In the middle of a burst; etcd and the controller manager live on."""
    for _ in range(STEPS):
        churn.step()
    broken.market.move()
    with api_server_killed(broken.control_plane):
        wait_until(lambda: False, down_s)  # the fault's length is what is tested
    broken.settle("faults")


def test_a_compaction_amid_changes_loses_nothing(broken: Scene, churn: Churn) -> None:
    """The watches are cut, and cannot go on where they were: nobody tells what went meanwhile."""
    broken.gate.meddling = answering(HTTPStatus.SERVICE_UNAVAILABLE, random.Random(7))  # noqa: S311
    broken.gate.cut()
    for _ in range(STEPS):
        churn.step()
    broken.client.delete(Reference("v1", "ConfigMap", "faults", "rate-0"))
    compact_etcd(broken.control_plane)
    with api_server_killed(broken.control_plane):
        pass  # or it would know what has been compacted
    broken.gate.meddling = well
    broken.settle("faults")


def test_rights_that_are_taken_away_are_used_again_when_they_are_back(broken: Scene, churn: Churn) -> None:
    """Watches, lists and writes are refused, to a running operator."""
    with rights_taken(broken.client):
        for _ in range(STEPS):
            churn.step()
        broken.gate.cut()
        eventually(lambda: "forbidden" in broken.operator.process.log.read_text(), "it is refused")
        for _ in range(STEPS):
            churn.step()
    broken.settle("faults")
