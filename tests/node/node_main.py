"""The first process of the enclosure that is a node: a control plane, a registry, containerd, kubelet and scheduler.

Everything has the place it usually has. Addresses are of the ranges that are reserved for documentation; the
enclosure's network has no way out, so they are nobody else's.
"""

import json
import os
import sys
from pathlib import Path
from typing import Final

import yaml
from tests.node.builder_main import answers, start_registry
from tests.node.first import run, serve, settle, start, wait_for
from tests.node.programs import CNI_PLUGINS

from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.processes import Process

NODE: Final = "node"
API_SERVER: Final = ("192.0.2.1", 443)
"""The address of the Service `kubernetes`: without a kube-proxy the API server has it itself."""
BRIDGE: Final = "198.51.100.1"
"""Where Pods reach servers of the node's network."""
_PODS: Final = "198.51.100.0/24"
_CNI: Final = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods",
            "isGateway": True,
            "ipam": {
                "type": "host-local",
                "dataDir": "/run/cni/addresses",
                "ranges": [[{"subnet": _PODS, "rangeStart": "198.51.100.10"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}
_CONTAINERD: Final = """version = 3
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{pause}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true  # it may not have the right to lower it
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["{plugins}"]
  conf_dir = "/run/cni/net.d"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false
"""
_KUBELET: Final = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    # Only the enclosure's own network reaches it.
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
    "cgroupDriver": "cgroupfs",
    "cgroupsPerQOS": False,
    "enforceNodeAllocatable": [],
    "failCgroupV1": False,
    "failSwapOn": False,
    "makeIPTablesUtilChains": False,
    "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    "evictionHard": {"memory.available": "50Mi", "nodefs.available": "200Mi", "imagefs.available": "200Mi"},
    "imageGCHighThresholdPercent": 100,
    # Tests wait for what a node does: after a minute, and after ever longer pauses, by default.
    "syncFrequency": "5s",
    "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
}


def main(directory: Path, control_plane: Path, programs: Path, storage: Path, port: int, pause: str) -> None:
    """Start everything and wait until the node is Ready."""
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}:/usr/sbin:/sbin"
    settle(directory, network=True)
    _make_network(directory)
    registry = start_registry(directory, storage, port, read_only=True)
    cluster = ControlPlane(directory / "control-plane", control_plane, listen=API_SERVER)
    cluster.start(print)
    containerd = _start_containerd(directory, pause)
    kubelet = _start_kubelet(directory, cluster.kubeconfig)
    serving = ["--bind-address=127.0.0.1", "--secure-port=10259", "--authentication-tolerate-lookup-failure"]
    account = [f"--kubeconfig={cluster.kubeconfig}", "--leader-elect=false"]
    scheduler = start(directory, "kube-scheduler", ["kube-scheduler", *account, *serving])
    wait_for(registry, lambda: answers(f"http://127.0.0.1:{port}/v2/"), "listening")
    with Client(cluster.kubeconfig) as client:
        wait_for(kubelet, lambda: _is_ready(client), "registered as a Ready node")
    wait_for(containerd, lambda: True, "running")
    wait_for(scheduler, lambda: True, "running")
    serve(directory)


def _make_network(directory: Path) -> None:
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{API_SERVER[0]}/32", "dev", "lo")
    run("ip", "link", "add", "pods", "type", "bridge")
    run("ip", "address", "add", f"{BRIDGE}/24", "dev", "pods")
    run("ip", "link", "set", "pods", "up")
    # The API server asks for logs at the node's name.
    hosts = directory / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{BRIDGE} {NODE}\n", encoding="utf-8")
    run("mount", "--bind", hosts, "/etc/hosts")
    configuration = Path("/run/cni/net.d/pods.conflist")
    configuration.parent.mkdir(parents=True)
    configuration.write_text(json.dumps(_CNI), encoding="utf-8")


def _start_containerd(directory: Path, pause: str) -> Process:
    file = directory / "containerd.toml"
    file.write_text(_CONTAINERD.format(pause=pause, plugins=CNI_PLUGINS), encoding="utf-8")
    containerd = start(directory, "containerd", ["containerd", "--config", file])
    wait_for(containerd, Path("/run/containerd/containerd.sock").exists, "listening")
    return containerd


def _start_kubelet(directory: Path, kubeconfig: Path) -> Process:
    file = directory / "kubelet.yaml"
    file.write_text(yaml.safe_dump(_KUBELET), encoding="utf-8")
    account = [f"--kubeconfig={kubeconfig}", f"--config={file}"]
    return start(directory, "kubelet", ["kubelet", *account, f"--hostname-override={NODE}", f"--node-ip={BRIDGE}"])


def _is_ready(client: Client) -> bool:
    node = client.get(Reference("v1", "Node", "", NODE)) or {"status": {}}
    conditions = node["status"].get("conditions", [])
    return {"type": "Ready", "status": "True"}.items() <= next(
        (entry for entry in conditions if entry["type"] == "Ready"), {}
    ).items() and not node["spec"].get("taints")


if __name__ == "__main__":
    places = [Path(argument) for argument in sys.argv[1:5]]
    main(places[0], places[1], places[2], places[3], int(sys.argv[5]), sys.argv[6])
