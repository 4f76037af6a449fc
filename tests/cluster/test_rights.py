"""The operator's rights: its own service account's, all of them used, and no others."""

from collections.abc import Callable

import pytest
from tests.cluster.conftest import ACCOUNT, OPERATOR_NAMESPACE, USER, Audit, Namespace, StartOperator, eventually

from exchangerates.api import API_VERSION, KIND
from exchangerates_infra.recorder import Recording
from localcluster.client import Client, Reference


def granted(recording: Recording) -> set[tuple[str, str]]:
    """Give resource and verb of every right that the Pulumi program gives to the operator."""
    (role,) = [
        m for m in recording.manifests() if m["metadata"]["name"] == f"{OPERATOR_NAMESPACE}:operator" and m.get("rules")
    ]
    return {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


def used(log: Audit) -> set[tuple[str, str]]:
    """Give resource and verb of every request that the operator made for an object."""
    return {
        ("/".join(filter(None, [found["resource"], found.get("subresource")])), entry["verb"])
        for entry in log.requests()
        if (found := entry.get("objectRef"))
    }


def test_every_right_is_used_and_none_is_missing(
    start_operator: StartOperator,
    namespace: Namespace,
    client: Client,
    recording: Recording,
    audit: Callable[[], Audit],
) -> None:
    """All that the operator ever does, under its own account's token: the audit log names just what the role grants."""
    log = audit()
    start_operator()
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
    eventually(
        lambda: "finalizers" not in (client.get(tutorial) or {})["metadata"], "the tutorial's finalizer is taken off"
    )

    assert used(log) == granted(recording)
    refused = [entry["requestURI"] for entry in log.requests() if entry["responseStatus"]["code"] in {401, 403}]
    assert refused == []


@pytest.mark.parametrize(
    ("group", "resource", "verb"),
    [
        pytest.param("", "secrets", "get", id="secrets"),
        pytest.param("", "secrets", "list", id="all secrets"),
        pytest.param("", "configmaps", "update", id="overwrite ConfigMaps"),
        pytest.param("", "namespaces", "list", id="namespaces"),
        pytest.param("", "pods", "create", id="pods"),
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
