"""A place with namespaces and cgroups of its own: what runs in it ends with it, and nothing of it is left.

The first process in it is process 1 of a PID namespace and holds one end of a pipe. When the test run ends, in
whatever way, the pipe breaks and that process ends; the kernel then ends every process of the PID namespace, and with
the last of them go the mounts, the network interfaces and the namespaces. Only cgroups and a directory stay after a
crash: they carry one name, and the next run removes them. Two test runs at once have two enclosures and share nothing.
"""

import ctypes
import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.node.cgroups import hierarchies, is_unified

from exchangerates_infra.project import ROOT
from localcluster.errors import LocalClusterError
from localcluster.processes import wait_until

PREFIX: Final = "exchange-rate-node-"
FRONT: Final = "front"
"""The cgroup of the first process and its programs, in version 2."""
READY_WITHIN_S: Final = 600.0
"""A base image is made in it the first time."""
_CLONE_NEWNET: Final = 0x40000000
_GONE_WITHIN_S: Final = 60.0
_TAIL_LINES: Final = 30
_ENTER: Final = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"'


class Enclosure:
    """One enclosure.

    Args:
        network: Whether it has a network of its own, without a way out, or the machine's.

    Attributes:
        directory: What it keeps; short, since sockets are in it.
        log: What its first process says.
    """

    def __init__(self, *, network: bool) -> None:
        self._network = network
        self._machine = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        with _one_at_a_time():
            self.directory = Path(tempfile.mkdtemp(prefix=PREFIX))
            self._lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.log = self.directory / "first.log"
        self._first: subprocess.Popen[bytes] | None = None

    def start(self, module: str, *arguments: str) -> None:
        """Run a module of this directory as the first process and wait until it says that it is ready.

        Raises:
            LocalClusterError: It does not become ready; its last lines are in the text.
        """
        groups = [_make_cgroup(hierarchy, self.directory.name) for hierarchy in hierarchies()]
        root = [*_enter(groups), "unshare", "--cgroup"]
        # Below the root of its own cgroups: in version 2 a group with groups below it may have no process itself.
        front = _enter([group / FRONT for group in groups]) if is_unified() else []
        spaces = ["--mount", "--pid", "--ipc", "--uts", *(["--net"] if self._network else [])]
        unshare = ["unshare", *spaces, "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
        python = [sys.executable, "-m", f"tests.node.{module}", str(self.directory), *arguments]
        source_roots = (ROOT, ROOT / "infra", ROOT / "operator")
        with self.log.open("wb") as log:
            self._first = subprocess.Popen(
                [*root, *front, *unshare, *python],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, source_roots))},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[self._lock],  # the lock lasts as long as the enclosure does, also without this process
                start_new_session=True,
            )
        first, ready = self._first, self.directory / "ready"
        wait_until(lambda: ready.exists() or first.poll() is not None, READY_WITHIN_S)
        if not ready.exists():
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
            raise LocalClusterError(f"{module} does not become ready; its last lines:\n" + "\n".join(lines))

    @property
    def pid(self) -> int:
        """The process in front of the first one, as this machine counts; it has the same network."""
        if self._first is None:
            raise LocalClusterError("the enclosure was not started")
        return self._first.pid

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Put this thread, and what it starts, into the enclosure's network."""
        with Path(f"/proc/{self.pid}/ns/net").open("rb") as there, _in_network(there.fileno()):
            yield

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Put this thread, and what it starts, back into the machine's network."""
        with _in_network(self._machine):
            yield

    def cgroups(self, controller: str) -> Path:
        """Give its directory in a controller's hierarchy."""
        found = [hierarchy for hierarchy in hierarchies() if is_unified() or hierarchy.name == controller]
        return found[0] / self.directory.name

    def stop(self) -> None:
        """End everything in it and remove it."""
        if self._first is not None and self._first.stdin is not None:
            self._first.stdin.close()
            try:
                self._first.wait(_GONE_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._first.kill()
                self._first.wait()
        os.close(self._lock)
        os.close(self._machine)
        _remove(self.directory.name)


def sweep() -> list[str]:
    """Remove what crashed runs left; give the names. Enclosures that are in use stay."""
    swept: list[str] = []
    with _one_at_a_time():
        named = {path.name for hierarchy in hierarchies() for path in hierarchy.glob(f"{PREFIX}*")}
        named |= {path.name for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if path.is_dir()}
        for name in sorted(named):
            if not _in_use(name):
                _remove(name)
                swept.append(name)
    return swept


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (Path(tempfile.gettempdir()) / f"{PREFIX}lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _in_use(name: str) -> bool:
    try:
        with (Path(tempfile.gettempdir()) / name / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _enter(groups: list[Path]) -> list[str]:
    """Begin a command that goes on in these cgroups."""
    return ["sh", "-c", _ENTER, "enclosure", *map(str, groups), "--"]


def _make_cgroup(hierarchy: Path, name: str) -> Path:
    directory = hierarchy / name
    directory.mkdir()
    if is_unified():
        (directory / FRONT).mkdir()
        return directory
    # A cpuset starts empty and takes no process before it has processors and memory.
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (directory / file).exists():
            (directory / file).write_text((hierarchy / file).read_text())
    return directory


def _remove(name: str) -> None:
    trees = [hierarchy / name for hierarchy in hierarchies()]

    def gone() -> bool:
        for tree in trees:
            for directory, _, _ in os.walk(tree, topdown=False):
                _remove_cgroup(Path(directory))
        return not any(tree.exists() for tree in trees)

    if not wait_until(gone, _GONE_WITHIN_S):
        raise LocalClusterError(f"the cgroups {name} cannot be removed; see /sys/fs/cgroup/*/{name}")
    shutil.rmtree(Path(tempfile.gettempdir()) / name, ignore_errors=True)


def _remove_cgroup(directory: Path) -> None:
    """End what is left in a cgroup and remove it, or leave it for the next attempt."""
    try:
        for pid in (directory / "cgroup.procs").read_text(encoding="utf-8").split():
            os.kill(int(pid), signal.SIGKILL)
        directory.rmdir()
    except (FileNotFoundError, ProcessLookupError):
        pass
    except OSError as error:
        if error.errno not in {errno.EBUSY, errno.ENODEV}:
            raise


@contextmanager
def _in_network(namespace: int) -> Iterator[None]:
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        _enter_network(namespace)
        try:
            yield
        finally:
            _enter_network(before.fileno())


def _enter_network(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
