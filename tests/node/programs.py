"""What a node is made of: programs that are built once and cached, and those that the machine has to have.

As a command it names the packages that are missing, and with `--why` says why there can be no node.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from tests.node import cgroups

from localcluster.binaries import FLAGS, VERSION
from localcluster.builds import Build, Program, Report

CNI_PLUGINS: Final = Path("/usr/lib/cni")
PACKAGES: Final = {
    "runc": "runc",
    "containernetworking-plugins": str(CNI_PLUGINS / "bridge"),
    "debootstrap": "debootstrap",
    "docker-registry": "docker-registry",
    "iproute2": "ip",
    "mount": "mount",
    "util-linux": "unshare",
}
"""Debian's packages, each with a program of its own that tells whether it is there."""

_MODULES: Final = Path(__file__).parent / "go"
_KUBERNETES: Final = "k8s.io/kubernetes/cmd"
_CONTAINERD: Final = "github.com/containerd/containerd/v2/cmd"
_BUILDKIT: Final = "github.com/moby/buildkit/cmd"
_BUILD: Final = Build(
    what="node",
    name=f"node-{VERSION}",
    modules=_MODULES,
    programs=(
        Program("containerd-shim-runc-v2", "containerd", f"{_CONTAINERD}/containerd-shim-runc-v2", "30 seconds"),
        Program("containerd", "containerd", f"{_CONTAINERD}/containerd", "a minute"),
        Program("buildctl", "buildkit", f"{_BUILDKIT}/buildctl", "30 seconds"),
        Program("buildkitd", "buildkit", f"{_BUILDKIT}/buildkitd", "2 minutes"),
        Program("kube-scheduler", "kubernetes", f"{_KUBERNETES}/kube-scheduler", "a minute"),
        Program("kubelet", "kubernetes", f"{_KUBERNETES}/kubelet", "a minute"),
    ),
    flags=FLAGS,
    usually="6 minutes",
    otherwise="Without internet, set GOPROXY to a mirror",
    # Storage that needs C libraries, or that nobody has.
    tags="no_btrfs no_devmapper no_zfs no_aufs",
)


def what_is_missing() -> str:
    """Say why there can be no node on this machine, and what to do about it; empty where there can be one."""
    if sys.platform != "linux":
        return f"a node needs Linux, and this is {sys.platform}"
    if os.geteuid() != 0:
        return "a node needs root: run the tests as root, or leave tests/node to CI"
    if cgroups_miss := cgroups.what_is_missing():
        return f"a node needs cgroups with their controllers: {cgroups_miss}"
    missing = missing_packages()
    if missing:
        return f"a node needs Debian's packages: apt-get install --no-install-recommends {' '.join(missing)}"
    return ""


def missing_packages() -> list[str]:
    """Give the packages of Debian that have to be installed first."""
    # Also where root's PATH is a user's.
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    return sorted(package for package, program in PACKAGES.items() if shutil.which(program, path=places) is None)


def ensure_programs(report: Report) -> Path:
    """Give the directory of containerd, BuildKit, the scheduler and the kubelet.

    Raises:
        LocalClusterError: They have to be built, and cannot be.
    """
    return _BUILD.ensure(report)


if __name__ == "__main__":
    sys.stdout.write(what_is_missing() if sys.argv[1:] == ["--why"] else "\n".join(missing_packages()))
