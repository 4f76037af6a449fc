"""Where a clone keeps its cluster: `.localcluster` beside the project's files, so that two clones have two clusters."""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from exchangerates_infra.project import ROOT
from localcluster.errors import LocalClusterError

STATE: Final = ROOT / ".localcluster"


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Keep other commands that change this cluster out; the kernel frees the lock with the process.

    Raises:
        LocalClusterError: Another command is at it.
    """
    state.mkdir(parents=True, exist_ok=True)
    with state.with_name(f"{state.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalClusterError(
                f"another localcluster command works on {state} at the moment; wait for its end and try again"
            ) from None
        yield


def purge(state: Path) -> None:
    """Forget a cluster's data."""
    shutil.rmtree(state, ignore_errors=True)
    if state.exists():
        raise LocalClusterError(f"{state} cannot be removed; remove it by hand")


def remembered_port(file: Path) -> int:
    """Give the free loopback port of the last time, or another one where somebody else has that by now."""
    ports = [int(file.read_text(encoding="utf-8"))] if file.exists() else []
    for port in (*ports, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as server:
                chosen = int(server.getsockname()[1])
        except OSError:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(chosen), encoding="utf-8")
        return chosen
    raise LocalClusterError("no free port on 127.0.0.1")


def command_line() -> str:
    """Give the words that run this program, as the user can type them."""
    uv = os.environ.get("UV", "")
    if not uv or shutil.which("uv") is not None:
        return "uv run localcluster"
    path = Path(uv)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{shown} run localcluster"
