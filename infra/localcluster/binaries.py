"""The control plane's programs: from `KUBEBUILDER_ASSETS`, from the cache, or built from their Go modules.

A build is made once per version: the cache's directory is named by what goes into it. An interrupted build keeps the
programs that were finished, and two builds at once become one.
"""

import fcntl
import hashlib
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from localcluster.errors import LocalClusterError
from localcluster.processes import wait_until
from localcluster.toolchain import find_go

Report = Callable[[str], None]

_MODULES: Final = Path(__file__).parent / "go"
_VERSION: Final = "v1.36.3"
_FLAGS: Final = (
    "-s -w "
    f"-X k8s.io/component-base/version.gitVersion={_VERSION} "
    "-X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
)
_REPORT_EVERY_S: Final = 15.0
_TAIL_LINES: Final = 12


@dataclass(frozen=True)
class Program:
    """One program of the control plane.

    Attributes:
        name: Its file.
        module: The directory of its Go module.
        package: Its package in the module.
        usually: How long it takes to build on two cores, with its downloads.
    """

    name: str
    module: str
    package: str
    usually: str


PROGRAMS: Final = (
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3", "a minute"),
    Program("kube-apiserver", "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "5 minutes"),
    Program("kube-controller-manager", "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", "2 minutes"),
)


def ensure_binaries(report: Report) -> Path:
    """Give a directory that holds all of `PROGRAMS`.

    Raises:
        LocalClusterError: They have to be built, and cannot be.
    """
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given:
        if _complete(Path(given)):
            return Path(given)
        missing = ", ".join(program.name for program in _missing(Path(given)))
        report(f"KUBEBUILDER_ASSETS={given} does not hold {missing}; it is left out of account")
    directory = cache_directory() / f"control-plane-{_key()}"
    if not _complete(directory):
        directory.mkdir(parents=True, exist_ok=True)
        with _only_builder(directory, report):
            _build_missing(directory, report)
    return directory


def cache_directory() -> Path:
    """Give the user's cache directory of this project."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "exchange-rate-operator"


def _key() -> str:
    """Name what goes into a build: the modules and their sums, the flags and the platform."""
    digest = hashlib.sha256(f"{_FLAGS} {platform.system()} {platform.machine()}".encode())
    for path in sorted(_MODULES.glob("*/go.*")):
        digest.update(path.read_bytes())
    return f"{_VERSION}-{digest.hexdigest()[:12]}"


def _missing(directory: Path) -> list[Program]:
    return [program for program in PROGRAMS if not os.access(directory / program.name, os.X_OK)]


def _complete(directory: Path) -> bool:
    return not _missing(directory)


@contextmanager
def _only_builder(directory: Path, report: Report) -> Iterator[None]:
    """Hold the directory's lock; the kernel frees it with the process, however that ends."""
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("another localcluster builds the control plane at the moment; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build_missing(directory: Path, report: Report) -> None:
    missing = _missing(directory)
    if not missing:
        return  # the one that was waited for has built them
    for leftover in directory.glob("*.half"):
        leftover.unlink()
    go = find_go(report)
    report("building the control plane from its Go modules, once; it usually takes 7 to 10 minutes on two cores")
    for program in missing:
        number = PROGRAMS.index(program) + 1
        _build(go, program, directory, report, f"{program.name} ({number} of {len(PROGRAMS)})")


def _build(go: list[str], program: Program, directory: Path, report: Report, what: str) -> None:
    """Build one program beside its place and move it there when it is whole."""
    half, log = directory / f"{program.name}.half", directory / f"{program.name}.log"
    command = [*go, "build", "-trimpath", "-ldflags", _FLAGS, "-o", str(half), program.package]
    report(f"building {what}; usually {program.usually}")
    began = time.monotonic()
    with log.open("wb") as output:
        build = subprocess.Popen(
            command,
            cwd=_MODULES / program.module,
            env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while not wait_until(lambda: build.poll() is not None, _REPORT_EVERY_S):
                report(f"building {what}; {time.monotonic() - began:.0f} s so far, usually {program.usually}")
        finally:
            build.terminate()
            build.wait()
    if build.returncode != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:])
        raise LocalClusterError(
            f"{program.name} could not be built (go build ended with {build.returncode}):\n{tail}\n"
            f"The whole output is in {log}. Without internet, set GOPROXY to a mirror, or KUBEBUILDER_ASSETS to a "
            "directory that holds the programs; then run the same command again: what was finished is kept."
        )
    half.replace(directory / program.name)
    report(f"built {what} in {time.monotonic() - began:.0f} s")
