"""The operator as a process beside a control plane that has no node, with what the Deployment would give its Pod."""

import base64
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import requests

from exchangerates import api
from exchangerates_infra.project import OPERATOR, ROOT
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.errors import LocalClusterError
from localcluster.kubeconfig import write_private
from localcluster.processes import Process, wait_until
from localcluster.workspace import remembered_port

READY_WITHIN_S: Final = 90.0
_SOURCES: Final = ROOT / "operator" / "exchangerates"


class OperatorProcess:
    """The operator of one cluster.

    Args:
        state: The cluster's directory.
        control_plane: The running control plane.
    """

    def __init__(self, state: Path, control_plane: ControlPlane) -> None:
        self.process = Process(state, "operator")
        self._state = state
        self._control_plane = control_plane

    @property
    def address(self) -> str:
        """Where health and metrics are served, as host and port; empty before the first start."""
        file = self._state / "operator.port"
        return f"127.0.0.1:{file.read_text(encoding='utf-8')}" if file.exists() else ""

    def start(self, namespace: str) -> bool:
        """Start it as the Deployment says, under its own service account; False where it runs so already.

        Raises:
            LocalClusterError: It does not become ready; its last lines are in the text.
        """
        with Client(self._control_plane.kubeconfig) as client:
            environment, account = _pod_settings(client, namespace)
        kubeconfig = self._control_plane.service_account_kubeconfig(
            namespace, account, self._state / "operator.kubeconfig"
        )
        # It reads the kubeconfig at its start only: the API server's address may be another one by now.
        reads = {"environment": environment, "code": _code_version(), "kubeconfig": kubeconfig.read_text("utf-8")}
        wanted = json.dumps(reads, sort_keys=True)
        noted = self._state / "operator.running"
        if noted.exists() and noted.read_text(encoding="utf-8") == wanted and self.is_ready():
            return False
        self.process.stop()
        port = remembered_port(self._state / "operator.port")
        no_proxy = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1,localhost"]))
        self.process.start(
            [sys.executable, "-m", "exchangerates"],
            {
                **{key: value for key, value in os.environ.items() if not key.startswith("EXCHANGERATES_")},
                **environment,
                "NO_PROXY": no_proxy,
                "no_proxy": no_proxy,
                "KUBECONFIG": str(kubeconfig),
                api.Env.HTTP_ADDRESS: f"127.0.0.1:{port}",
            },
        )
        self._wait_ready()
        write_private(noted, wanted)
        return True

    def is_ready(self) -> bool:
        """Tell whether it has listed everything and serves."""
        if self.process.pid is None:
            return False
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.get(f"http://{self.address}/readyz", timeout=5.0).ok
            except requests.RequestException:
                return False

    def _wait_ready(self) -> None:
        wait_until(lambda: self.process.pid is None or self.is_ready(), READY_WITHIN_S)
        if not self.is_ready():
            raise LocalClusterError(
                f"the operator does not become ready; its last lines:\n{self.process.tail()}\n"
                f"The whole log is {self.process.log}. Correct the cause and run `up` again."
            )


def _pod_settings(client: Client, namespace: str) -> tuple[dict[str, str], str]:
    """Give the environment and the service account that the Deployment gives its Pod."""
    deployment = client.get(Reference("apps/v1", "Deployment", namespace, OPERATOR))
    if deployment is None:
        raise LocalClusterError(f"there is no Deployment {OPERATOR} in namespace {namespace}; run `up` again")
    pod = deployment["spec"]["template"]["spec"]

    def from_secret(name: str, entry: str) -> str:
        secret = client.get(Reference("v1", "Secret", namespace, name))
        if secret is None:
            raise LocalClusterError(f"there is no Secret {name} in namespace {namespace}; run `up` again")
        return base64.b64decode(secret["data"][entry]).decode()

    return container_environment(pod["containers"][0], from_secret), pod["serviceAccountName"]


def container_environment(container: Mapping[str, Any], from_secret: Callable[[str, str], str]) -> dict[str, str]:
    """Give a container's environment as the kubelet does: `$(NAME)` is the value of a variable that stands before.

    Args:
        container: As in a Pod's spec.
        from_secret: Gives the entry of a Secret, by the name of either.
    """
    environment: dict[str, str] = {}
    for variable in container.get("env", []):
        if "valueFrom" in variable:
            source = variable["valueFrom"]["secretKeyRef"]
            environment[variable["name"]] = from_secret(source["name"], source["key"])
        else:
            value = re.sub(r"\$\((\w+)\)", lambda found: environment.get(found[1], found[0]), variable.get("value", ""))
            environment[variable["name"]] = value
    return environment


def _code_version() -> str:
    """Name the operator's code, so that a changed operator is started anew."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES.rglob("*.[py]*")):
        if path.suffix in {".py", ".yaml"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()
