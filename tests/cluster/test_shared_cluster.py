"""Two stacks on one cluster: one owns the CRD, each serves its own namespaces, and neither is in the other's way."""

import datetime as dt
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.cluster import as_pulumi
from tests.cluster.operator_process import Operator, operator_environment
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates_infra.recorder import Recording, record, stack_file_values
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.rateserver import RateServer

ACCOUNT = "exchange-rate-operator"


@pytest.fixture(scope="module")
def control_plane(start_control_plane: Callable[[], ControlPlane]) -> ControlPlane:
    """A control plane of its own: both stacks are ours."""
    return start_control_plane()


def program(team: str, *, manage: bool) -> Recording:
    """Record the stack of one team, which serves one namespace."""
    values = {
        "namespace": f"operator-{team}",
        "watchNamespaces": [team],
        "rates": [{"currency": "USD", "namespace": team}],
        "crd": {"manage": manage},
    }
    return record("local", stack_file_values("local", values))


PLATFORM, SHOP = program("platform", manage=True), program("shop", manage=False)


def rights(admin: Client, account: str, namespace: str) -> list[bool]:
    """Ask the API server what an operator's account may do in a namespace."""
    group = "operators.brennerm.github.io"
    asked = [(group, "exchangerates", "list"), ("", "configmaps", "create"), (group, "exchangerates", "patch")]
    allowed = []
    for api_group, resource, verb in asked:
        attributes = {"group": api_group, "resource": resource, "verb": verb, "namespace": namespace}
        user = f"system:serviceaccount:{account}:{ACCOUNT}"
        review = {"spec": {"user": user, "resourceAttributes": attributes}}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        allowed.append(admin.request("POST", path, review)["status"]["allowed"])
    return allowed


def operator_of(control_plane: ControlPlane, recording: Recording, rates: RateServer, directory: Path) -> Operator:
    """Give a stack's operator as its Deployment says, not started."""
    directory.mkdir()
    (deployment,) = [found for found in recording.manifests() if found["kind"] == "Deployment"]
    namespace = deployment["metadata"]["namespace"]
    kubeconfig = control_plane.service_account_kubeconfig(namespace, ACCOUNT, directory / "kubeconfig")
    return Operator(directory, kubeconfig, operator_environment(recording, rates))


def test_two_stacks_share_a_cluster_and_part_again(admin: Client, control_plane: ControlPlane, tmp_path: Path) -> None:
    """No object of one is the other's; each publishes in its namespace alone; one goes, the other goes on."""
    ours, theirs = ({Reference.of(found) for found in recording.manifests()} for recording in (PLATFORM, SHOP))
    assert ours & theirs == set()
    for team in ("platform", "shop"):
        admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team}})
    as_pulumi.create(admin, [*PLATFORM.manifests(), *SHOP.manifests()])
    assert rights(admin, "operator-platform", "platform") == rights(admin, "operator-shop", "shop") == [True] * 3
    assert rights(admin, "operator-platform", "shop") == rights(admin, "operator-shop", "platform") == [False] * 3
    platform, shop = Namespace(admin, "platform"), Namespace(admin, "shop")
    with RateServer() as rates, ExitStack() as started:
        rates.replay(dt.date(2026, 10, 30))
        for index, recording in enumerate((PLATFORM, SHOP)):
            operator = operator_of(control_plane, recording, rates, tmp_path / str(index))
            started.callback(operator.stop)
            operator.start()
        for served in (platform, shop):
            served.wait()
            eventually(served.data, "it is published")
        as_pulumi.destroy(admin, SHOP.teardown(), propagation="Background")
        assert admin.items("operators.brennerm.github.io/v1", "ExchangeRate", "shop") == []
        platform.rate("later", currency="GBP")
        platform.wait("later")
    as_pulumi.destroy(admin, PLATFORM.teardown(), propagation="Background")
    assert {reference for reference in ours | theirs if admin.get(reference) is not None} == set()
