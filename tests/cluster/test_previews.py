"""A second `pulumi up` has nothing to do: the API server keeps what it is given as it is given."""

from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from tests.cluster import as_pulumi
from tests.cluster.leftovers import assert_as_before, everything, settled_control_plane
from tests.cluster.planted import KEY

from exchangerates_infra.recorder import Recording, record, stack_file_values
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.errors import ApiError

SECRETS = ("exchange-rate-operator:exchangeratesapiKey", "exchange-rate-operator:proxyCredentials")
EVERYTHING = {
    "providers": ["exchangeratesapi", "ecb"],
    "exchangeratesapiKey": KEY,
    "proxy": {"https": "http://proxy.example.com:3128", "exceptions": [".example.com"]},
    "proxyCredentials": f"me:{quote(KEY, safe='')}",
    "caBundle": "-----BEGIN CERTIFICATE-----\n",
    "networkPolicy": {"enabled": True},
    "monitoring": {"enabled": True, "labels": {"release": "prometheus"}},
    "crd": {"retain": True},
    "pod": {
        "labels": {"team": "payments"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
        "priorityClassName": "system-cluster-critical",
    },
    "rates": [{"currency": "USD", "suspend": True, "target": {"name": "dollar", "labels": {"a": "b"}}}],
}
"""Every option that adds a field or an object."""
STACKS = [
    pytest.param("local", {}, id="local"),
    pytest.param("prod", {}, id="prod"),
    pytest.param("prod", EVERYTHING, id="prod with every option"),
    pytest.param("prod", {**EVERYTHING, "watchNamespaces": ["default"]}, id="and for one namespace"),
]


@pytest.fixture(scope="module")
def admin(start_control_plane: Callable[[], ControlPlane]) -> Iterator[Client]:
    """The administrator of a control plane of its own, which knows the kinds of the Prometheus Operator."""
    control_plane = start_control_plane()
    with Client(control_plane.kubeconfig) as client:
        for kind in ("ServiceMonitor", "PrometheusRule"):
            as_pulumi.create(client, [foreign_kind(kind)])
        settled_control_plane(client)
        yield client


def foreign_kind(kind: str) -> dict[str, object]:
    """Give a CRD that takes any object of a kind of the Prometheus Operator; its real one would refuse more."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {"group": "monitoring.coreos.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }


def recorded(stack: str, overrides: dict[str, object]) -> Recording:
    """Record a stack with some values replaced."""
    return record(stack, stack_file_values(stack, overrides), secret_keys=SECRETS)


@pytest.mark.parametrize(("stack", "overrides"), STACKS)
def test_a_second_preview_shows_nothing(admin: Client, stack: str, overrides: dict[str, object]) -> None:
    """Created as the provider does, each object has every field of the program unchanged; all of it goes again."""
    before = everything(admin)
    recording = recorded(stack, overrides)
    as_pulumi.create(admin, recording.manifests())
    shown = {
        str(Reference.of(manifest)): found
        for manifest in recording.manifests()
        if (found := as_pulumi.differences(admin, manifest))
    }
    assert shown == {}
    as_pulumi.destroy(admin, recording.teardown(), propagation="Background")
    left = [manifest for manifest in recording.manifests() if admin.get(Reference.of(manifest)) is not None]
    assert {manifest["kind"] for manifest in left} == (
        {"CustomResourceDefinition", "ClusterRole"} if overrides else set()
    )
    as_pulumi.destroy(admin, left, propagation="Background")
    assert_as_before(admin, before, within_s=60.0)


def test_a_namespace_that_is_there_is_used_and_left(admin: Client) -> None:
    """The platform team's own, with its labels: nothing of it changes, and a destroy leaves it empty."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "team": "platform"}
    name = "made-by-the-platform"
    there = admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    settled_control_plane(admin)
    before = everything(admin)
    recording = recorded("prod", {**EVERYTHING, "crd": {}, "namespace": name, "createNamespace": False})
    as_pulumi.create(admin, recording.manifests())
    assert [found for manifest in recording.manifests() for found in as_pulumi.differences(admin, manifest)] == []
    as_pulumi.destroy(admin, recording.teardown(), propagation="Background")
    assert_as_before(admin, before, within_s=60.0)
    left = admin.get(Reference.of(there))
    assert left is not None
    assert left["metadata"]["uid"] == there["metadata"]["uid"]
    assert left["metadata"]["labels"] == there["metadata"]["labels"]


def test_what_is_there_is_refused_except_for_the_crd(admin: Client) -> None:
    """A second stack of the same namespace is stopped; what was left on purpose is taken up: CRD, objects, roles."""
    recording = recorded("local", {"crd": {"retain": True}})
    as_pulumi.create(admin, recording.manifests())
    metadata = {"name": "users-own", "namespace": "default"}
    (example,) = [found for found in recording.manifests() if found["metadata"]["name"] == "exchange-rate-usd"]
    users_own = Reference.of(admin.create({**example, "metadata": metadata}))
    uid = (admin.get(users_own) or {})["metadata"]["uid"]
    with pytest.raises(ApiError, match="already exists"):
        as_pulumi.create(admin, [found for found in recording.manifests() if found["kind"] == "Namespace"])

    as_pulumi.destroy(admin, recording.teardown(), propagation="Background")
    assert [found["metadata"]["name"] for found in admin.items(example["apiVersion"], example["kind"])] == ["users-own"]
    kept = [found for found in recording.manifests() if found not in recording.teardown()]
    assert [found["kind"] for found in kept] == ["CustomResourceDefinition", "ClusterRole", "ClusterRole"]
    for manifest in kept:
        as_pulumi.take_up(admin, manifest)
    as_pulumi.create(admin, [found for found in recording.manifests() if found not in kept])
    assert (admin.get(users_own) or {})["metadata"]["uid"] == uid
    assert [found for manifest in kept for found in as_pulumi.differences(admin, manifest)] == []
    as_pulumi.destroy(admin, recorded("local", {}).teardown(), propagation="Background")
    assert admin.get(users_own) is None
