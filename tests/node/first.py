"""What the first process of an enclosure does: settle in, start programs, say so, and end with its other side."""

import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.node import cgroups

from localcluster.processes import Process, wait_until

STARTED_WITHIN_S: Final = 90.0
_OWN: Final = ("/run", "/var/lib", "/var/log")
"""What is the enclosure's own: programs keep what they have at their usual places, and all of it goes with it."""


def run(*command: str | Path) -> None:
    """Run a command of the machine.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    subprocess.run([str(part) for part in command], check=True, stdin=subprocess.DEVNULL)


def settle(directory: Path, *, network: bool) -> None:
    """Make mounts and cgroups the enclosure's own."""
    threading.Thread(target=_end_with_other_side, daemon=True).start()
    run("mount", "--make-rshared", "/")
    if network:
        run("mount", "-t", "sysfs", "sysfs", "/sys")
    _mount_cgroups()
    for kept in _OWN:
        own = directory / kept.strip("/").replace("/", "-")
        own.mkdir()
        run("mount", "--bind", own, kept)


def _mount_cgroups() -> None:
    """Show the enclosure's own cgroups only, where programs look for them, in the machine's version."""
    controllers = [line.split(":")[1] for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()]
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", cgroups.ROOT)
    if not any(controllers):
        run("mount", "-t", "cgroup2", "cgroup2", cgroups.ROOT)
        enabled = " ".join(f"+{controller}" for controller in cgroups.CONTROLLERS)
        (cgroups.ROOT / "cgroup.subtree_control").write_text(enabled, encoding="utf-8")
        return
    for controller in filter(None, controllers):
        place = cgroups.ROOT / controller.removeprefix("name=")
        place.mkdir()
        options = f"none,{controller}" if controller.startswith("name=") else controller
        run("mount", "-t", "cgroup", "-o", options, "cgroup", place)


def start(
    directory: Path, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None
) -> Process:
    """Start a program whose log is in the directory."""
    process = Process(directory, name)
    process.start(command, environment)
    return process


def succeeds(*command: str | Path) -> bool:
    """Run a command only to know whether it succeeds."""
    done = subprocess.run([str(part) for part in command], check=False, capture_output=True, stdin=subprocess.DEVNULL)
    return done.returncode == 0


def wait_for(process: Process, reached: Callable[[], object], what: str) -> None:
    """Wait until something holds, or end with the program's last lines."""
    if not wait_until(lambda: process.pid is None or reached(), STARTED_WITHIN_S) or process.pid is None:
        sys.exit(f"{process.name}: not {what}; its last lines:\n{process.tail()}")


def serve(directory: Path) -> None:
    """Say that everything is there; collect orphans that end, as process 1 has to, until the other side is gone."""
    (directory / "ready").touch()
    while True:
        wait_until(_collect_orphan, 3600.0, poll_s=0.5)


def _collect_orphan() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _end_with_other_side() -> None:
    """End when the pipe's other end is closed; the kernel then ends every process in the PID namespace."""
    while True:
        select.select([sys.stdin], [], [])
        if not os.read(sys.stdin.fileno(), 1):
            os._exit(0)
