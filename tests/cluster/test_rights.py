"""The operator's rights: its own service account's, all of them used, and no others."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cluster.audit import USER, Audit, granted
from tests.cluster.operator_process import ACCOUNT, OPERATOR_NAMESPACE, Operator, StartOperator, operator_environment
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, KIND, REFRESH_ANNOTATION, Env
from exchangerates_infra.recorder import Recording, record, stack_file_values
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.rateserver import RateServer
from localcluster.stack import AppliedStack

SECOND = "second-operator"
SECOND_USER = f"system:serviceaccount:{SECOND}:{ACCOUNT}"


BUDGET = {Env.PROVIDERS: "ecb", Env.MIN_FETCH_INTERVALS: "ecb=1s", Env.MAX_CALLS_PER_DAY: "ecb=24"}
"""So that a wish for a newer quote is one too many, which the operator tells by an event on its Deployment."""


def use_every_right(namespace: Namespace, client: Client, lengthened: Callable[[], object]) -> None:
    """Bring about all that the operator ever does; `lengthened` tells whether it has told that it has no call left."""
    config_map = {"name": "taken", "namespace": namespace.name}
    client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": config_map})
    namespace.rate("taken")
    namespace.wait("taken", reason="TargetConflict")  # looks at the ConfigMap, tells by an event
    namespace.rate("plain")
    namespace.wait("plain")
    namespace.change("plain", currency="GBP")
    namespace.wait("plain")
    client.delete(Reference("v1", "ConfigMap", namespace.name, "plain"))
    eventually(lambda: namespace.data("plain"), "the ConfigMap is put back, after a look at its owner")
    namespace.change("plain", target={"name": "renamed"})
    namespace.wait("plain")
    eventually(lambda: namespace.config_map("plain") is None, "the former ConfigMap is removed")

    tutorial = Reference(API_VERSION, KIND, namespace.name, "tutorial")
    metadata = {"name": "tutorial", "namespace": namespace.name, "finalizers": ["kopf.zalando.org/KopfFinalizerMarker"]}
    client.create({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {"currency": "USD"}})

    def wish() -> object:
        annotations = {REFRESH_ANNOTATION: str(dt.datetime.now(dt.UTC))}
        client.patch(Reference(API_VERSION, KIND, namespace.name, "plain"), {"metadata": {"annotations": annotations}})
        return lengthened()

    eventually(wish, "the operator tells of itself")
    eventually(
        lambda: "finalizers" not in (client.get(tutorial) or {})["metadata"], "the tutorial's finalizer is taken off"
    )


def test_every_right_is_used_and_none_is_missing(
    start_operator: StartOperator,
    namespace: Namespace,
    client: Client,
    recording: Recording,
    audit: Callable[[], Audit],
) -> None:
    """The audit log names just what the role grants, and nothing was refused."""
    log = audit()
    start_operator(**BUDGET)
    use_every_right(namespace, client, lambda: ("deployments", "get") in log.used())
    assert log.used() == granted(recording, OPERATOR_NAMESPACE)
    assert log.refused() == []


@pytest.fixture
def second(
    stack: AppliedStack,
    namespace: Namespace,
    client: Client,
    control_plane: ControlPlane,
    rates: RateServer,
    tmp_path: Path,
) -> Iterator[tuple[Recording, Operator]]:
    """A second stack on the same cluster, whose operator serves the test's namespace and one more, not started."""
    assert stack.references()
    watched = [namespace.name, "kube-public"]
    overrides = {"rates": [], "namespace": SECOND, "watchNamespaces": watched, "crd": {"manage": False}}
    recording = record("local", stack_file_values("local", overrides))
    applied = AppliedStack(client, tmp_path / "second.json")
    applied.apply(recording.manifests())
    kubeconfig = control_plane.service_account_kubeconfig(SECOND, ACCOUNT, tmp_path / "second.kubeconfig")
    operator = Operator(tmp_path, kubeconfig, operator_environment(recording, rates))
    yield recording, operator
    operator.stop()
    applied.destroy()


def test_rights_in_two_namespaces_are_enough_for_those_two(
    second: tuple[Recording, Operator], namespace: Namespace, client: Client, audit: Callable[[], Audit]
) -> None:
    """The same verbs by Roles; nothing outside is read, nothing is refused, and nobody else's object is served."""
    recording, operator = second
    elsewhere = Namespace(client, "default")
    log = audit()
    operator.start(**BUDGET)
    outside = elsewhere.rate("outside")
    own_events = f"/api/v1/namespaces/{SECOND}/events"
    use_every_right(namespace, client, lambda: f"create {own_events}" in log.writes(SECOND_USER))
    assert not any(manifest["kind"] == "ClusterRoleBinding" for manifest in recording.manifests())
    assert log.used(SECOND_USER) == granted(recording, SECOND)
    assert log.refused(SECOND_USER) == []
    asked = [entry["objectRef"] for entry in log.requests(SECOND_USER) if entry.get("objectRef")]
    assert {found.get("namespace") for found in asked} == {namespace.name, "kube-public", SECOND}
    assert {found["resource"] for found in asked if found.get("namespace") == SECOND} == {"deployments", "events"}
    assert elsewhere.ready("outside") == ("", "")
    client.delete(outside)


@pytest.mark.parametrize(
    ("group", "resource", "verb"),
    [
        pytest.param("", "secrets", "get", id="secrets"),
        pytest.param("", "secrets", "list", id="all secrets"),
        pytest.param("", "configmaps", "update", id="overwrite ConfigMaps"),
        pytest.param("", "namespaces", "list", id="namespaces"),
        pytest.param("", "pods", "create", id="pods"),
        pytest.param("apps", "deployments", "get", id="Deployments of others"),
        pytest.param("apps", "deployments", "list", id="all Deployments"),
        pytest.param("", "serviceaccounts/token", "create", id="tokens"),
        pytest.param("operators.brennerm.github.io", "exchangerates", "delete", id="delete users' objects"),
        pytest.param("operators.brennerm.github.io", "exchangerates", "update", id="overwrite users' objects"),
        pytest.param("apiextensions.k8s.io", "customresourcedefinitions", "get", id="CRDs"),
        pytest.param("rbac.authorization.k8s.io", "clusterroles", "bind", id="roles"),
    ],
)
def test_the_account_may_nothing_else(
    client: Client, namespace: Namespace, group: str, resource: str, verb: str
) -> None:
    """The API server's own answer for the operator's account."""
    name, _, subresource = resource.partition("/")
    attributes = {"group": group, "resource": name, "subresource": subresource, "verb": verb}
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{OPERATOR_NAMESPACE}", "system:authenticated"]
    review = client.request(
        "POST",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        {"spec": {"user": USER, "groups": groups, "resourceAttributes": {**attributes, "namespace": namespace.name}}},
    )
    assert review["status"]["allowed"] is False, f"{ACCOUNT} may {verb} {resource}"
