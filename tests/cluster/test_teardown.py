"""Taking a stack away with users' ExchangeRates in their own namespaces, and bringing back what somebody deleted."""

import datetime as dt
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import as_pulumi
from tests.cluster.leftovers import assert_as_before, everything, untouched
from tests.cluster.operator_process import Operator, operator_environment
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, CRD_NAME, KIND
from exchangerates_infra.recorder import Recording, record, stack_file_values
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.rateserver import RateServer

NAMESPACE = "exchange-rate-operator"
TEAMS = ("team-a", "team-b")


@pytest.fixture(scope="module")
def control_plane(start_control_plane: Callable[[], ControlPlane]) -> ControlPlane:
    """A control plane of its own: this module takes the CRD away."""
    return untouched(start_control_plane)


@pytest.fixture(scope="module")
def program() -> Recording:
    """The local stack with one rate of its own."""
    return record("local", stack_file_values("local", {"rates": [{"currency": "USD"}]}))


class Cluster:
    """The stack on the control plane, with users and a running operator."""

    def __init__(self, admin: Client, control_plane: ControlPlane, program: Recording, directory: Path) -> None:
        self.admin = admin
        self.program = program
        self._control_plane = control_plane
        self._directory = directory
        self._starts = 0

    def start_operator(self, rates: RateServer, started: ExitStack) -> Operator:
        """Start the operator as the Deployment says, with its account's present token; the stack ends it."""
        self._starts += 1
        directory = self._directory / str(self._starts)
        directory.mkdir()
        kubeconfig = self._control_plane.service_account_kubeconfig(NAMESPACE, NAMESPACE, directory / "kubeconfig")
        environment = operator_environment(self.program, rates)
        operator = Operator(directory, kubeconfig, environment)
        started.callback(operator.stop)
        operator.start()
        return operator

    def join(self, team: str) -> None:
        """Have a team bring its namespace and its ExchangeRate."""
        if self.admin.get(Reference("v1", "Namespace", "", team)) is None:
            self.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team}})
        metadata = {"name": "theirs", "namespace": team}
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {"currency": "CHF"}}
        self.admin.create(body)

    def published(self) -> bool:
        """Tell whether every rate, the stack's and the teams', is in its ConfigMap."""
        wanted = [("default", "exchange-rate-usd"), *((team, "theirs") for team in TEAMS)]
        maps = [self.admin.get(Reference("v1", "ConfigMap", *where)) for where in wanted]
        return all(found is not None and found["data"]["rate"] for found in maps)


@pytest.fixture(scope="module")
def cluster(
    admin: Client, control_plane: ControlPlane, program: Recording, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """The stack, created as the provider does, with two teams; taken away when all tests are through with it."""
    made = Cluster(admin, control_plane, program, tmp_path_factory.mktemp("cluster"))
    as_pulumi.create(admin, program.manifests())
    for team in TEAMS:
        made.join(team)
    yield made
    as_pulumi.destroy(admin, program.teardown(), propagation="Background")
    for team in TEAMS:
        as_pulumi.delete(admin, Reference("v1", "Namespace", "", team))


@pytest.mark.parametrize("state", ["healthy", "crashing", "scaled to zero"])
def test_destroying_ends_by_itself_and_leaves_nothing(
    admin: Client, control_plane: ControlPlane, program: Recording, tmp_path: Path, state: str
) -> None:
    """With users' live ExchangeRates, whatever became of the operator: all goes, their ConfigMaps by collection."""
    before = everything(admin)
    cluster = Cluster(admin, control_plane, program, tmp_path)
    as_pulumi.create(admin, program.manifests())
    for team in TEAMS:
        cluster.join(team)
    with RateServer() as rates, ExitStack() as started:
        rates.replay(dt.date(2026, 10, 30))
        operator = cluster.start_operator(rates, started)
        eventually(cluster.published, "every rate is published")
        if state == "crashing":
            os.kill(operator.process.pid or 0, signal.SIGKILL)
        elif state == "scaled to zero":
            operator.stop()
        as_pulumi.destroy(admin, program.teardown())
        for team in TEAMS:
            as_pulumi.delete(admin, Reference("v1", "Namespace", "", team))
        assert_as_before(admin, before, within_s=120.0)


@pytest.mark.parametrize(
    "deleted",
    [
        pytest.param(("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", CRD_NAME), id="the CRD"),
        pytest.param(("v1", "Namespace", "", NAMESPACE), id="the namespace"),
        pytest.param(("apps/v1", "Deployment", NAMESPACE, NAMESPACE), id="the Deployment"),
        pytest.param(
            ("rbac.authorization.k8s.io/v1", "ClusterRole", "", f"{NAMESPACE}:operator"), id="the operator's rights"
        ),
        pytest.param((API_VERSION, KIND, "default", "exchange-rate-usd"), id="a rate"),
    ],
)
def test_what_somebody_deleted_comes_back(cluster: Cluster, deleted: tuple[str, str, str, str]) -> None:
    """`refresh` finds what is gone, `up` makes it again, and every rate is published again."""
    with RateServer() as rates, ExitStack() as started:
        rates.replay(dt.date(2026, 10, 30))
        operator = cluster.start_operator(rates, started)
        eventually(cluster.published, "every rate is published")
        as_pulumi.delete(cluster.admin, Reference(*deleted))
        operator.stop()
        missing = refreshed(cluster.admin, cluster.program)
        assert Reference(*deleted) in [Reference.of(manifest) for manifest in missing]
        as_pulumi.create(cluster.admin, missing)
        if deleted[1] == "CustomResourceDefinition":
            for team in TEAMS:
                cluster.join(team)  # their objects went with their kind
        cluster.start_operator(rates, started)
        eventually(cluster.published, "every rate is published again")
        assert refreshed(cluster.admin, cluster.program) == []


def refreshed(admin: Client, program: Recording) -> list[dict[str, Any]]:
    """Give what a refresh finds missing, in the order in which an update makes it again."""
    return [manifest for manifest in program.manifests() if admin.get(Reference.of(manifest)) is None]
