"""What a user does in a namespace."""

from typing import Any

from tests.cluster.waiting import WITHIN_S, eventually

from exchangerates.api import API_VERSION, KIND
from localcluster.client import Client, Reference


class Namespace:
    """A namespace of its own for one test, and what a user does in it."""

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self._client = client

    def rate(self, name: str = "exchange-rate-usd", /, **spec: object) -> Reference:
        """Create an ExchangeRate; `currency` is USD where the spec says nothing."""
        metadata = {"name": name, "namespace": self.name}
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {"currency": "USD", **spec}}
        return Reference.of(self._client.create(body))

    def change(self, name: str, **spec: object) -> None:
        """Change fields of an ExchangeRate's spec."""
        self._client.patch(Reference(API_VERSION, KIND, self.name, name), {"spec": spec})

    def find(self, name: str) -> dict[str, Any] | None:
        """Read an ExchangeRate, or None."""
        return self._client.get(Reference(API_VERSION, KIND, self.name, name))

    def get(self, name: str) -> dict[str, Any]:
        """Read an ExchangeRate; it never has a finalizer."""
        body = self.find(name)
        assert body is not None, f"no ExchangeRate {name}"
        assert "finalizers" not in body["metadata"]
        return body

    def config_map(self, name: str = "exchange-rate-usd") -> dict[str, Any] | None:
        """Read a ConfigMap, or None."""
        return self._client.get(Reference("v1", "ConfigMap", self.name, name))

    def data(self, name: str = "exchange-rate-usd") -> dict[str, str]:
        """Read a ConfigMap's data; empty where there is none."""
        found: dict[str, str] = (self.config_map(name) or {}).get("data") or {}
        return found

    def ready(self, name: str = "exchange-rate-usd") -> tuple[str, str]:
        """Give the status and the reason of Ready for the current generation; empty before that."""
        body = self.get(name)
        for condition in (body.get("status") or {}).get("conditions") or []:
            if condition["type"] == "Ready" and condition["observedGeneration"] == body["metadata"]["generation"]:
                return condition["status"], condition["reason"]
        return "", ""

    def wait(self, name: str = "exchange-rate-usd", reason: str = "Published", within_s: float = WITHIN_S) -> None:
        """Wait until Ready has a reason."""
        eventually(lambda: self.ready(name)[1] == reason, f"{name} is {reason}, not {self.ready(name)}", within_s)
