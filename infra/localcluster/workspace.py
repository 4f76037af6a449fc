"""Where a clone keeps its cluster: `.localcluster` beside the project's files, so that two clones have two clusters."""

import fcntl
import os
import shlex
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from exchangerates_infra.project import ROOT
from localcluster.errors import LocalClusterError

STATE: Final = ROOT / ".localcluster"
CONTROL_PLANE: Final = "control-plane"
"""The first thing in a cluster's directory, and the last to go: it tells it from a directory of something else."""


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Keep other commands that change this cluster out; the kernel frees the lock with the process.

    Raises:
        LocalClusterError: Another command is at it, or the directory is somebody else's.
        OSError: The directory cannot be made.
    """
    state.parent.mkdir(parents=True, exist_ok=True)
    with state.with_name(f"{state.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalClusterError(
                f"another localcluster command works on {state} at the moment; wait for its end and try again"
            ) from None
        # `down --purge` removes the whole directory: one that holds anything else is not taken in the first place.
        if state.is_dir() and any(state.iterdir()) and not (state / CONTROL_PLANE).is_dir():
            raise LocalClusterError(
                f"{state} holds other files; give --state a directory that is empty or not there yet"
            )
        state.mkdir(exist_ok=True)
        yield


def purge(state: Path) -> None:
    """Forget a cluster's data; what tells the directory from one of something else goes last."""
    for entry in state.iterdir():
        if entry.is_dir() and entry.name != CONTROL_PLANE:
            shutil.rmtree(entry, ignore_errors=True)
        elif not entry.is_dir():
            entry.unlink(missing_ok=True)
    shutil.rmtree(state, ignore_errors=True)
    if state.exists():
        raise LocalClusterError(f"{state} cannot be removed; remove it by hand")


def remembered_port(file: Path) -> int:
    """Give the free loopback port of the last time, or another one where somebody else has that by now."""
    noted = file.read_text(encoding="utf-8").strip() if file.exists() else ""
    # A command that was killed while it wrote the file leaves an empty one.
    ports = [int(noted)] if noted.isdecimal() else []
    for port in (*ports, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as server:
                chosen = int(server.getsockname()[1])
        except OSError:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(chosen), encoding="utf-8")
        return chosen
    raise LocalClusterError(
        "no free port on 127.0.0.1; end a program that listens there, and run the same command again"
    )


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a loopback port."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def command_line(state: Path = STATE) -> str:
    """Give the words that run this program on this cluster, as the user can type them."""
    uv, named = os.environ.get("UV", ""), "" if state == STATE else f" --state {shlex.quote(str(state))}"
    if not uv or shutil.which("uv") is not None:
        return f"uv run localcluster{named}"
    path = Path(uv)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{shown} run localcluster{named}"
