"""The whole stack on the real API server: applied as recorded, and with the Pulumi CLI where there is one."""

import copy
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.leftovers import assert_as_before, everything, untouched
from tests.cluster.operator_process import OPERATOR_NAMESPACE, Operator
from tests.cluster.planted import KEY
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, CRD_NAME, KIND
from exchangerates_infra.recorder import Recording, record, stack_file_values
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.errors import ApiError
from localcluster.pulumi_cli import PulumiStack, find_pulumi
from localcluster.rateserver import RateServer
from localcluster.stack import AppliedStack

KEY_OF_STACK = "exchange-rate-operator:exchangeratesapiKey"
STACKS = [
    pytest.param("local", {}, id="local"),
    pytest.param("dev", {}, id="dev"),
    pytest.param("prod", {}, id="prod"),
    pytest.param(
        "prod",
        {
            "watchNamespaces": ["default"],
            "providers": ["exchangeratesapi", "ecb"],
            "exchangeratesapiKey": KEY,
            "minFetchIntervals": {"exchangeratesapi": "12h"},
        },
        id="prod with a key and for one namespace",
    ),
]


@pytest.fixture(scope="module")
def empty(start_control_plane: Callable[[], ControlPlane]) -> ControlPlane:
    """A control plane on which nothing was applied, once it has made all that it makes by itself."""
    return untouched(start_control_plane)


@pytest.fixture
def admin(empty: ControlPlane) -> Iterator[Client]:
    """Its administrator's client."""
    with Client(empty.kubeconfig) as made:
        yield made


@pytest.mark.parametrize(("stack", "overrides"), STACKS)
def test_the_stack_is_accepted_whole_and_leaves_nothing(
    admin: Client, tmp_path: Path, stack: str, overrides: dict[str, object]
) -> None:
    """Every object is accepted, a second time changes none, the Pod is within the restricted standard, all goes."""
    before = everything(admin)
    recording = record(stack, stack_file_values(stack, overrides), secret_keys=(KEY_OF_STACK,))
    applied = AppliedStack(admin, tmp_path / "applied.json")
    manifests = recording.manifests()
    assert applied.apply(manifests) == len(manifests)
    assert {str(Reference.of(manifest)) for manifest in manifests if admin.get(Reference.of(manifest)) is None} == set()
    assert applied.apply(manifests) == 0
    create_pod(admin, pod_of(recording))
    eventually(lambda: everything(admin) - before, "it is there")
    applied.destroy()
    assert_as_before(admin, before, within_s=60.0)


def test_a_pod_that_is_not_restricted_is_refused(admin: Client, tmp_path: Path) -> None:
    """The namespace enforces the standard that the operator's Pod keeps to."""
    recording = record("local", stack_file_values("local"))
    applied = AppliedStack(admin, tmp_path / "applied.json")
    applied.apply(recording.manifests())
    pod = pod_of(recording)
    loose = copy.deepcopy(pod)
    del loose["spec"]["containers"][0]["securityContext"]
    create_pod(admin, pod)
    with pytest.raises(ApiError, match="violates PodSecurity"):
        create_pod(admin, loose)
    applied.destroy()


def test_a_resource_that_left_the_program_leaves_the_cluster(admin: Client, tmp_path: Path) -> None:
    """What an earlier run applied and this one does not is removed."""
    applied = AppliedStack(admin, tmp_path / "applied.json")
    applied.apply(record("local", stack_file_values("local")).manifests())
    fewer = record("local", stack_file_values("local", {"rates": [{"currency": "USD"}]})).manifests()
    assert applied.apply(fewer) == 3
    assert [rate["metadata"]["name"] for rate in admin.items(API_VERSION, KIND)] == ["exchange-rate-usd"]
    applied.destroy()


def test_taking_the_stack_down_takes_users_rates_along(empty: ControlPlane, admin: Client, tmp_path: Path) -> None:
    """With the operator running and with users' objects: the CRD goes, their ConfigMaps are collected."""
    before = everything(admin)
    applied = AppliedStack(admin, tmp_path / "applied.json")
    recording = record("local", stack_file_values("local"))
    applied.apply(recording.manifests())
    metadata = {"name": "users-own", "namespace": "default"}
    admin.create({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {"currency": "CHF"}})
    kubeconfig = empty.service_account_kubeconfig(OPERATOR_NAMESPACE, "exchange-rate-operator", tmp_path / "kubeconfig")
    users_own = Reference("v1", "ConfigMap", "default", "users-own")
    with RateServer() as rates:
        rates.replay(dt.date(2026, 10, 30))
        urls = ",".join(f"{name}={url}" for name, url in rates.urls().items())
        operator = Operator(tmp_path, kubeconfig, {"EXCHANGERATES_PROVIDER_URLS": urls})
        operator.start(EXCHANGERATES_MAX_AGE="87600h")
        try:
            eventually(lambda: admin.get(users_own), "the user's rate is published")
            applied.destroy()
            assert_as_before(admin, before, within_s=120.0)
            assert admin.get(users_own) is None
        finally:
            operator.stop()


def test_the_operator_brings_its_crd_where_it_is_told_to(empty: ControlPlane, admin: Client, tmp_path: Path) -> None:
    """`--install-crd`, as in the tutorial, by somebody who may; a CRD of somebody else's stays as it is."""
    kind = Reference("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", CRD_NAME)
    operator = Operator(tmp_path, empty.kubeconfig, {"EXCHANGERATES_INSTALL_CRD": "true"})
    try:
        operator.start()
        assert admin.get(kind)
        operator.stop()
        admin.patch(kind, {"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}})
        admin.patch(kind, {"spec": {"names": {"categories": ["mine"]}}})
        operator.start()
        assert "managed by somebody else" in operator.process.log.read_text()
        assert (admin.get(kind) or {})["spec"]["names"]["categories"] == ["mine"]
    finally:
        operator.stop()
        admin.delete(kind)
        eventually(lambda: admin.get(kind) is None, "the CRD is gone")


NEEDS_PULUMI = pytest.mark.skipif(
    find_pulumi() is None, reason="the Pulumi CLI is not on PATH; install it to run this test"
)


@NEEDS_PULUMI
def test_pulumi_brings_the_stack_up_and_takes_it_down(empty: ControlPlane, admin: Client, tmp_path: Path) -> None:
    """The real CLI and the real Kubernetes provider; there is no node whose Pod they could wait for."""

    def look() -> None:
        assert len(admin.items(API_VERSION, KIND)) == 4

    up_and_down(admin, tmp_path, {"kubeconfig": str(empty.kubeconfig)}, look)


def up_and_down(client: Client, directory: Path, overrides: Mapping[str, object], look: Callable[[], None]) -> None:
    """`pulumi up`, a look at what came of it, a second `up` without a change, `destroy`: nothing is left.

    Args:
        client: The cluster's administrator.
        directory: Where the CLI keeps its state.
        overrides: Values in place of those of the stack file `local`.
        look: Called when the first `up` has ended.
    """
    before = everything(client)
    stack = PulumiStack(str(find_pulumi()), directory, "local")
    stack.up(overrides)
    look()
    stack.up(overrides, "--expect-no-changes")
    stack.destroy()
    assert_as_before(client, before, within_s=120.0)


def pod_of(recording: Recording) -> dict[str, Any]:
    """Give the Pod that the Deployment would make."""
    (deployment,) = [manifest for manifest in recording.manifests() if manifest["kind"] == "Deployment"]
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "name": "as-deployed", "namespace": deployment["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def create_pod(client: Client, pod: dict[str, Any]) -> None:
    """Have a Pod go through admission, without making it."""
    client.request("POST", f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods", pod, params={"dryRun": "All"})
