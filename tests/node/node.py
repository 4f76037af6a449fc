"""A node with its control plane in an enclosure, as a test sees it."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import requests
import yaml
from tests.cluster.proxy import Proxy
from tests.node.cgroups import is_unified
from tests.node.door import Door
from tests.node.enclosure import Enclosure
from tests.node.images import STORAGE, Images
from tests.node.node_main import API_SERVER

from localcluster.client import Client, Reference
from localcluster.processes import wait_until

WITHIN_S: Final = 150.0
"""A node takes its time, and more on a machine with two cores that does something else besides."""


def eventually(
    reached: Callable[[], object], what: str, diagnosis: Callable[[], str] = str, within_s: float = WITHIN_S
) -> None:
    """Poll until something holds; where it does not come to that, say what there is instead."""
    assert wait_until(reached, within_s, poll_s=0.2), f"not within {within_s:.0f} s: {what}\n{diagnosis()}"


class Node:
    """One node.

    Attributes:
        directory: Where its logs are.
        client: An administrator's client; it needs `inside`.
    """

    def __init__(self) -> None:
        self._enclosure = Enclosure(network=True)
        self.directory = self._enclosure.directory
        self._pki = self.directory / "control-plane" / "pki"
        self.client: Client

    def start(self, control_plane: Path, programs: Path, images: Images) -> None:
        """Start it; it is Ready then."""
        places = (str(control_plane), str(programs), str(STORAGE))
        self._enclosure.start("node_main", *places, str(images.port), images.pause)
        self.client = Client(self.directory / "control-plane" / "kubeconfig")

    def stop(self) -> None:
        """End it with all that runs on it."""
        if hasattr(self, "client"):
            self.client.close()
        self._enclosure.stop()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Put this thread, and those that it starts, into its network."""
        with self._enclosure.inside():
            yield

    @contextmanager
    def outside(self, kubeconfig: Path) -> Iterator[Client]:
        """Put this thread, and what it starts, into the machine's network, from which a port leads to the API server.

        Args:
            kubeconfig: Where an administrator's kubeconfig for that port is written.
        """
        with contextlib.ExitStack() as until_the_end:
            until_the_end.enter_context(self._enclosure.outside())
            door = Door(API_SERVER)
            with self._enclosure.inside():
                until_the_end.enter_context(door)
            config = yaml.safe_load((self.directory / "control-plane" / "kubeconfig").read_text(encoding="utf-8"))
            config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{door.port}"
            kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
            yield until_the_end.enter_context(Client(kubeconfig))

    def pids(self, pod: dict[str, Any]) -> list[int]:
        """Give the processes of a Pod's first container, as this machine counts them, the oldest first."""
        return sorted(int(pid) for pid in (self.cgroup(pod, "pids") / "cgroup.procs").read_text().split())

    def cgroup(self, pod: dict[str, Any], controller: str) -> Path:
        """Give the cgroup of a Pod's first container."""
        (status,) = pod["status"]["containerStatuses"]
        identity = status["containerID"].removeprefix("containerd://")
        (found,) = [path for path in self._enclosure.cgroups(controller).rglob(identity) if path.is_dir()]
        return Path(found)

    def memory_limit(self, pod: dict[str, Any]) -> int:
        """Give the limit that the kernel holds a Pod's first container to, in bytes."""
        file = "memory.max" if is_unified() else "memory.limit_in_bytes"
        return int((self.cgroup(pod, "memory") / file).read_text())

    def log(self, namespace: str, pod: str, *, previous: bool = False) -> str:
        """Read a Pod's log, as `kubectl logs` does, or as `kubectl logs --previous` does."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?previous={str(previous).lower()}"
        with self._session() as session:
            return session.get(f"{self.client.server}{path}", timeout=30.0).text

    def story(self, namespace: str) -> str:
        """Tell of a namespace's Pods what `kubectl describe` and `kubectl logs` tell, for a message."""
        told = []
        for pod in self.client.items("v1", "Pod", namespace):
            name = pod["metadata"]["name"]
            told += [f"{name}: {json.dumps(pod['status'])}", self.log(namespace, name)[-2000:]]
        told += [f"{event['reason']}: {event['message']}" for event in self.client.items("v1", "Event", namespace)]
        return "\n".join(told)

    def proxy(self) -> Proxy:
        """Give a proxy before the API server, with its address and its certificate, on a port of its own."""
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(self._pki / "serving.crt", self._pki / "serving.key")
        return Proxy(self.client.server, API_SERVER[0], tls)

    def watch(self, path: str) -> "Watch":
        """Begin to watch a collection."""
        host, _, port = self.client.server.removeprefix("https://").partition(":")
        context = ssl.create_default_context(cafile=str(self._pki / "authority.crt"))
        context.load_cert_chain(self._pki / "admin.crt", self._pki / "admin.key")
        return Watch(http.client.HTTPSConnection(host, int(port), context=context), path)

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self._pki / "authority.crt")
        session.cert = (str(self._pki / "admin.crt"), str(self._pki / "admin.key"))
        return session


class Watch:
    """Every version of every object of a collection, from the beginning of the watch on. A context manager.

    Attributes:
        events: Type and object, in their order; the objects that are there come first, as ADDED.
    """

    def __init__(self, connection: http.client.HTTPSConnection, path: str) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        connection.request("GET", f"{path}?watch=true")
        # Kept: a thread that reads is only woken by the end of the connection itself.
        self._socket = connection.sock
        self._answer = connection.getresponse()
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Not by the TLS socket, which forgets its keys first: the reader would read on what is still encrypted.
        socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._reader.join()
        self._answer.close()
        self._socket.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError, http.client.IncompleteRead):  # the end that `__exit__` makes
            for line in iter(self._answer.readline, b""):
                event = json.loads(line)
                self.events.append((event["type"], event["object"]))


def condition(body: dict[str, Any], kind: str) -> dict[str, Any]:
    """Give one of an object's conditions; empty where it has none."""
    conditions = (body.get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry["type"] == kind), {})


def pod_reference(body: dict[str, Any]) -> Reference:
    """Give a Pod's reference; lists leave out its kind."""
    return Reference("v1", "Pod", body["metadata"]["namespace"], body["metadata"]["name"])
