"""What people may do with ExchangeRates: those with the cluster's own roles `view` and `edit` in one namespace."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, KIND
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.errors import ApiError

SPEC = {"currency": "USD"}
Person = Callable[[str], Client]


@pytest.fixture
def person(client: Client, control_plane: ControlPlane, namespace: Namespace, tmp_path: Path) -> Iterator[Person]:
    """Somebody with one of the cluster's roles in the test's namespace, and no other rights."""
    clients: list[Client] = []

    def make(role: str) -> Client:
        account = {"name": role, "namespace": namespace.name}
        client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": account,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", **account}],
        }
        client.create(binding)
        clients.append(Client(control_plane.service_account_kubeconfig(namespace.name, role, tmp_path / role)))
        return clients[-1]

    yield make
    for made in clients:
        made.close()


def refused(call: Callable[[], object]) -> bool:
    """Tell whether a call is forbidden."""
    try:
        call()
    except ApiError as error:
        if error.status == 403:
            return True
        raise
    return False


def rate(namespace: str, name: str = "mine") -> dict[str, object]:
    """Give an ExchangeRate."""
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name, "namespace": namespace}, "spec": SPEC}


@pytest.mark.parametrize("role", ["edit", "admin"])
def test_an_editor_works_with_rates_in_the_own_namespace(namespace: Namespace, person: Person, role: str) -> None:
    """Create, read, list, change and delete; nowhere else, and never the status, which is the operator's word."""
    editor = person(role)
    mine = Reference(API_VERSION, KIND, namespace.name, "mine")
    eventually(lambda: not refused(lambda: editor.items(API_VERSION, KIND, namespace.name)), "the role has them")
    editor.create(rate(namespace.name))
    assert editor.patch(mine, {"spec": {"currency": "GBP"}})["spec"] == {"currency": "GBP"}
    assert [found["metadata"]["name"] for found in editor.items(API_VERSION, KIND, namespace.name)] == ["mine"]
    status = f"/apis/{API_VERSION}/namespaces/{namespace.name}/exchangerates/mine/status"
    assert refused(lambda: editor.request("PATCH", status, {"status": {}}, kind="application/merge-patch+json"))
    assert refused(lambda: editor.create(rate("default")))
    assert refused(lambda: editor.items(API_VERSION, KIND))
    editor.delete(mine)
    assert editor.get(mine) is None


def test_a_viewer_looks_and_does_not_touch(namespace: Namespace, person: Person) -> None:
    """Read and list in the own namespace; no write, and nothing elsewhere."""
    viewer = person("view")
    namespace.rate("mine")
    mine = Reference(API_VERSION, KIND, namespace.name, "mine")
    eventually(lambda: not refused(lambda: viewer.get(mine)), "the role has them")
    assert viewer.items(API_VERSION, KIND, namespace.name)
    assert refused(lambda: viewer.create(rate(namespace.name, "other")))
    assert refused(lambda: viewer.patch(mine, {"spec": {"currency": "GBP"}}))
    assert refused(lambda: viewer.delete(mine))
    assert refused(lambda: viewer.items(API_VERSION, KIND, "default"))


def test_neither_comes_near_the_operator(namespace: Namespace, person: Person) -> None:
    """An editor of one namespace has no way to the operator's own Secret or Deployment."""
    editor = person("edit")
    secret = Reference("v1", "Secret", "exchange-rate-operator", "exchange-rate-operator")
    deployment = Reference("apps/v1", "Deployment", "exchange-rate-operator", "exchange-rate-operator")
    assert namespace.name
    assert refused(lambda: editor.get(secret))
    assert refused(lambda: editor.patch(deployment, {"spec": {"replicas": 0}}))
