"""Faults of the API server, of etcd and of the operator's rights; those that last do so as long as they are open."""

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import requests
from tests.cluster.operator_process import OPERATOR_NAMESPACE
from tests.faults.scene import SPECS, Scene

from exchangerates.api import API_VERSION, KIND
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.processes import wait_until

_STARTED_WITHIN_S = 60.0
MOST_ALIVE = 100
"""Of the objects that come and go."""
BINDING = Reference("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", f"{OPERATOR_NAMESPACE}:operator")


@contextmanager
def api_server_killed(control_plane: ControlPlane) -> Iterator[None]:
    """Kill the API server's process, and start it again as it was."""
    _, server, _ = control_plane.components
    pid = server.pid
    assert pid is not None, server.tail()
    command = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode().split("\0")
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: server.pid is None, _STARTED_WITHIN_S)
    yield
    server.start(command)

    def well() -> bool:
        return all(component_is_well for _, _, component_is_well in control_plane.healthy())

    assert wait_until(well, _STARTED_WITHIN_S), server.tail()


def compact_etcd(control_plane: ControlPlane) -> None:
    """Forget every revision but the newest, as the API server itself does every five minutes."""
    with requests.Session() as session:
        session.trust_env = False
        newest = session.post(f"{control_plane.etcd_url}/v3/kv/range", json={"key": "AA=="}, timeout=10).json()
        revision = newest["header"]["revision"]
        answer = session.post(f"{control_plane.etcd_url}/v3/kv/compaction", json={"revision": revision}, timeout=10)
        assert answer.ok, answer.text


@contextmanager
def rights_taken(client: Client) -> Iterator[None]:
    """Take the operator's rights in the cluster away, and give them back."""
    binding = client.get(BINDING)
    assert binding is not None
    client.delete(BINDING)
    yield
    client.create({**binding, "metadata": {"name": BINDING.name}})


class Churn:
    """Objects of one namespace that come, change and go; what is there afterwards is to be as its spec says.

    Args:
        scene: Where.
        namespace: The namespace.
        generator: Decides what happens.
    """

    def __init__(self, scene: Scene, namespace: str, generator: random.Random) -> None:
        self._scene, self._namespace, self._generator = scene, namespace, generator
        self._serial = count()
        self._alive: list[str] = []

    def step(self) -> None:
        """Create, change or delete one object, or damage what was published for it."""
        act = self._generator.choice(["create", "create", "change", "delete", "damage", "rename"])
        act = "delete" if len(self._alive) >= MOST_ALIVE else act
        if act == "create" or len(self._alive) < 3:
            name = f"churn-{next(self._serial)}"
            self._scene.create(self._namespace, name, self._generator.choice(SPECS))
            self._alive.append(name)
            return
        name = self._generator.choice(self._alive)
        reference = Reference(API_VERSION, KIND, self._namespace, name)
        if act == "delete":
            self._alive.remove(name)
            self._scene.client.delete(reference)
        elif act == "damage":
            self._scene.client.delete(Reference("v1", "ConfigMap", self._namespace, name))
        elif act == "rename":
            target = {"name": f"{name}{self._generator.choice(['', '-a', '-b'])}"}
            self._scene.client.patch(reference, {"spec": {"target": target}})
        else:
            base = self._generator.choice(["EUR", "CHF", "SEK"])
            self._scene.client.patch(reference, {"spec": {"base": base}})
