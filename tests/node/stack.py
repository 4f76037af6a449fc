"""The stack on the node, with a real image and real Pods."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.node.node import Node, condition, eventually

from exchangerates_infra.project import OPERATOR, PROJECT
from exchangerates_infra.recorder import record, stack_file_values
from localcluster.client import Reference
from localcluster.stack import AppliedStack

KEY: Final = f"{PROJECT}:exchangeratesapiKey"


class Stack:
    """The stack `local` with a real image, as its resources were recorded.

    Args:
        node: Where it is applied.
        memory: The file that says what was applied.
        values: Values in place of the stack file's.
        environment: Further variables of the operator's container.

    Attributes:
        namespace: The operator's own.
    """

    def __init__(
        self, node: Node, memory: Path, values: Mapping[str, Any], environment: Mapping[str, str] | None = None
    ) -> None:
        self.client = node.client
        self.namespace = str(values.get("namespace", OPERATOR))
        self._deployment = Reference("apps/v1", "Deployment", self.namespace, OPERATOR)
        self._node = node
        self._applied = AppliedStack(node.client, memory)
        self._values = values
        self._environment = environment or {}

    def apply(self, **changed: object) -> None:
        """Apply it, with these keys of the stack file changed."""
        values = stack_file_values("local", {**self._values, **changed})
        manifests = record("local", values, secret_keys=(KEY,)).manifests()
        (deployment,) = [manifest for manifest in manifests if manifest["kind"] == "Deployment"]
        variables = [{"name": name, "value": value} for name, value in self._environment.items()]
        deployment["spec"]["template"]["spec"]["containers"][0]["env"] += variables
        self._applied.apply(manifests)

    def scale(self, replicas: int) -> None:
        """Have so many Pods, until it is applied the next time."""
        self.client.patch(self._deployment, {"spec": {"replicas": replicas}})

    def deployment(self) -> dict[str, Any]:
        """Read the Deployment."""
        return self.client.get(self._deployment) or {}

    def pods(self) -> list[dict[str, Any]]:
        """Read the operator's Pods that are not on their way out."""
        found = self.client.items("v1", "Pod", self.namespace)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def is_available(self) -> bool:
        """Tell whether the Deployment, as it is now, is rolled out and its only Pod Ready."""
        body = self.deployment()
        status = body["status"]
        current = status.get("observedGeneration") == body["metadata"]["generation"]
        one = [status.get(key) for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
        # The Deployment's own account may be older than what its Pods are by now.
        ready = [condition(pod, "Ready").get("status") for pod in self.pods()]
        return current and one == [1, 1, 1, 1] and ready == ["True"]

    def log(self, pod: dict[str, Any], *, previous: bool = False) -> str:
        """Read a Pod's log, or that of its container before this one."""
        return self._node.log(self.namespace, pod["metadata"]["name"], previous=previous)

    def told(self, pod: dict[str, Any]) -> set[str]:
        """Read what events say of a Pod."""
        events = self.client.items("v1", "Event", self.namespace)
        return {event["message"] for event in events if event["involvedObject"]["name"] == pod["metadata"]["name"]}

    def wait_available(self) -> dict[str, Any]:
        """Wait until it is available, and give its Pod."""
        eventually(self.is_available, "the operator is available", lambda: self._node.story(self.namespace))
        (pod,) = self.pods()
        return pod
