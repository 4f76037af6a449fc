"""Somebody who may write ExchangeRates and ConfigMaps in one namespace and nothing else, and who is to be spared."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, FIELD_MANAGER, GROUP, KIND, MANAGED_BY_LABEL, PLURAL
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.errors import ApiError

HANDS = 8
"""How many requests of the tenant are under way at once."""
CALM = {"EXCHANGERATES_MIN_FETCH_INTERVALS": "frankfurter=1h,ecb=1h"}
NAME = "a-hostile-tenant"
"""Lists are in alphabetical order: theirs come first."""
GONE_WITHIN_S = 300.0
"""However many they are."""


class Tenant:
    """What the tenant does, with their own account's rights."""

    def __init__(self, client: Client, namespace: Namespace) -> None:
        self.client, self.namespace = client, namespace

    def rate(self, name: str, /, metadata: dict[str, Any] | None = None, **spec: object) -> dict[str, Any]:
        """Give an ExchangeRate."""
        about = {"name": name, "namespace": self.namespace.name, **(metadata or {})}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": about, "spec": {"currency": "USD", **spec}}

    def config_map(self, name: str, /, **metadata: object) -> dict[str, Any]:
        """Give a ConfigMap."""
        about = {"name": name, "namespace": self.namespace.name, **metadata}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {"rate": "6.66", "base": "EUR"}}

    def create_all(self, bodies: Iterable[dict[str, Any]]) -> None:
        """Create objects, as fast as that goes."""
        with ThreadPoolExecutor(HANDS) as hands:
            list(hands.map(self.client.create, bodies))

    def many(self, objects: int) -> list[dict[str, Any]]:
        """Give so many objects with the shortest interval."""
        return [self.rate(f"many-{number:05}", refreshInterval="1m") for number in range(objects)]


@contextmanager
def hostile_tenant(
    namespace: Namespace, client: Client, control_plane: ControlPlane, directory: Path
) -> Iterator[Tenant]:
    """Give a tenant with all rights to ExchangeRates and ConfigMaps of one namespace.

    Args:
        namespace: The victims'; the tenant's comes before it.
        client: An administrator's.
        control_plane: Where both are.
        directory: For the tenant's kubeconfig.
    """
    name = f"{NAME}-{namespace.name}"
    assert name < namespace.name
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    of_theirs = {"namespace": name, "name": "tenant"}
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
    rules = [
        {"apiGroups": [GROUP], "resources": [PLURAL], "verbs": verbs},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs},
    ]
    rbac = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", **of_theirs}
    client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": of_theirs})
    client.create({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": of_theirs, "rules": rules})
    role = {"apiGroup": rbac, "kind": "Role", "name": "tenant"}
    binding = {"metadata": of_theirs, "roleRef": role, "subjects": [subject]}
    client.create({"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", **binding})
    kubeconfig = control_plane.service_account_kubeconfig(name, "tenant", directory / "tenant")
    with Client(kubeconfig) as theirs:
        with pytest.raises(ApiError, match="forbidden"):
            theirs.items("v1", "ConfigMap", namespace.name)
        yield Tenant(theirs, Namespace(client, name))
    client.request("DELETE", f"/apis/{API_VERSION}/namespaces/{name}/{PLURAL}")
    eventually(lambda: not client.items(API_VERSION, KIND, name), "the tenant's objects are gone", GONE_WITHIN_S)
    client.delete(Reference("v1", "Namespace", "", name))


def others(client: Client, victims: str) -> dict[str, str]:
    """Give every ConfigMap and ExchangeRate of other namespaces, byte for byte, resource versions included.

    Those of earlier tests are going: of theirs only the victims' counts.
    """
    found = {}
    for api_version, kind in (("v1", "ConfigMap"), (API_VERSION, KIND)):
        for item in client.items(api_version, kind):
            if (name := item["metadata"]["namespace"]) == victims or not name.startswith(("t-", NAME)):
                found[str(Reference.of(item))] = json.dumps(item, sort_keys=True)
    return found


def stranger(namespace: Namespace, client: Client, name: str = "strangers") -> None:
    """Put somebody's ConfigMap into a namespace."""
    metadata = {"name": name, "namespace": namespace.name, "labels": {MANAGED_BY_LABEL: FIELD_MANAGER}}
    client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"theirs": "x"}})


def reason_of(client: Client, reference: Reference) -> str:
    """Give the reason of Ready; empty before there is one."""
    conditions = ((client.get(reference) or {}).get("status") or {}).get("conditions") or []
    return next((str(found["reason"]) for found in conditions if found["type"] == "Ready"), "")
