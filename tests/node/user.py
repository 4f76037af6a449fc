"""What a user sees on the node."""

import secrets
from typing import Any

from tests.node.node import condition, eventually

from exchangerates.api import API_VERSION, KIND, REFRESH_ANNOTATION
from localcluster.client import Client, Reference


class Rates:
    """ExchangeRates and ConfigMaps of one namespace, as a user sees them."""

    def __init__(self, client: Client, namespace: str = "default") -> None:
        self._client = client
        self._namespace = namespace

    def create(self, name: str, **spec: object) -> None:
        """Create an ExchangeRate."""
        metadata = {"name": name, "namespace": self._namespace}
        self._client.create({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})

    def delete(self, name: str) -> None:
        """Delete an ExchangeRate."""
        self._client.delete(Reference(API_VERSION, KIND, self._namespace, name))

    def refresh(self, name: str) -> None:
        """Ask for a newer quote at once."""
        metadata = {"annotations": {REFRESH_ANNOTATION: secrets.token_hex(4)}}
        self._client.patch(Reference(API_VERSION, KIND, self._namespace, name), {"metadata": metadata})

    def ready(self, name: str) -> dict[str, Any]:
        """Give an ExchangeRate's condition Ready; empty before it has one."""
        return condition(self._client.get(Reference(API_VERSION, KIND, self._namespace, name)) or {}, "Ready")

    def wait(self, name: str, reason: str = "Published") -> None:
        """Wait until Ready has a reason."""
        eventually(
            lambda: self.ready(name).get("reason") == reason, f"{name} is {reason}", lambda: str(self.ready(name))
        )

    def data(self, name: str) -> dict[str, str]:
        """Read a ConfigMap's data; empty where there is none."""
        found: dict[str, str] = (self._client.get(Reference("v1", "ConfigMap", self._namespace, name)) or {}).get(
            "data", {}
        )
        return found

    def versions(self) -> dict[str, tuple[str, str]]:
        """Give the uid and the version of every ExchangeRate and its ConfigMap: what nobody writes, keeps both."""
        kinds = ((API_VERSION, KIND), ("v1", "ConfigMap"))
        listed = [body for kind in kinds for body in self._client.items(*kind, self._namespace)]
        return {
            f"{body['kind']} {body['metadata']['name']}": (body["metadata"]["uid"], body["metadata"]["resourceVersion"])
            for body in listed
            if body["metadata"]["name"] != "kube-root-ca.crt"
        }
