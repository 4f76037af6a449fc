"""The control plane's programs: from `KUBEBUILDER_ASSETS`, from the cache, or built from their Go modules."""

import os
from pathlib import Path
from typing import Final

from localcluster.builds import Build, Program, Report

VERSION: Final = "v1.36.3"
FLAGS: Final = (
    "-s -w "
    f"-X k8s.io/component-base/version.gitVersion={VERSION} "
    "-X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
)
"""What tells Kubernetes' programs their version."""
PROGRAMS: Final = (
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3", "a minute"),
    Program("kube-apiserver", "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "5 minutes"),
    Program("kube-controller-manager", "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", "2 minutes"),
)
_BUILD: Final = Build(
    what="control plane",
    name=f"control-plane-{VERSION}",
    modules=Path(__file__).parent / "go",
    programs=PROGRAMS,
    flags=FLAGS,
    usually="7 to 10 minutes",
    otherwise=(
        "Without internet, set GOPROXY to a mirror, or KUBEBUILDER_ASSETS to a directory that holds the programs"
    ),
)


def ensure_binaries(report: Report) -> Path:
    """Give a directory that holds all of `PROGRAMS`.

    Raises:
        LocalClusterError: They have to be built, and cannot be.
    """
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given:
        missing = ", ".join(program.name for program in _BUILD.missing(Path(given)))
        if not missing:
            return Path(given)
        report(f"KUBEBUILDER_ASSETS={given} does not hold {missing}; it is left out of account")
    return _BUILD.ensure(report)
