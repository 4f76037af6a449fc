"""Processes that outlive the command that starts them, found again by a file.

A file with a process id alone would one day name a stranger: the start time of the process is kept beside it.
"""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from localcluster.errors import LocalClusterError

POLL_S: Final = 0.1
STOP_WITHIN_S: Final = 10.0
_TAIL_LINES: Final = 15


def wait_until(reached: Callable[[], object], timeout_s: float, *, poll_s: float = POLL_S) -> bool:
    """Ask until the answer is true; False when the time is over, which includes what the asking takes."""
    never, end = threading.Event(), time.monotonic() + timeout_s
    while not reached():
        left_s = end - time.monotonic()
        if left_s <= 0:
            return False
        never.wait(min(poll_s, left_s))
    return True


class Process:
    """One background process of a directory.

    Args:
        directory: Where its pid file and its log are.
        name: What it is called there and in messages.

    Attributes:
        log: Its output, of this start only.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self._file = directory / f"{name}.pid"

    @property
    def pid(self) -> int | None:
        """The id of the running process, or None."""
        try:
            noted = json.loads(self._file.read_text(encoding="utf-8"))
            pid, started = int(noted["pid"]), str(noted["started"])
        except (OSError, ValueError, TypeError, KeyError):
            return None  # no file, or one that was cut short
        return pid if started and _start_time(pid) == started else None

    @property
    def is_wanted(self) -> bool:
        """Whether it was started and not stopped since; it may have ended by itself."""
        return self._file.exists()

    def start(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        """Start it in a session of its own, so that a Ctrl-C in this terminal does not reach it.

        Raises:
            LocalClusterError: The program cannot be run.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.log.open("wb") as log:
                process = subprocess.Popen(
                    [str(part) for part in command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=None if environment is None else dict(environment),
                    start_new_session=True,
                )
        except OSError as error:
            raise LocalClusterError(
                f"{self.name} cannot be started: {error}; correct that and run the same command again"
            ) from error
        # It is to outlive this object; without this the subprocess module would warn about it.
        process.returncode = 0
        half = self._file.with_suffix(".half")
        half.write_text(json.dumps({"pid": process.pid, "started": _start_time(process.pid)}), encoding="utf-8")
        half.replace(self._file)

    def stop(self, timeout_s: float = STOP_WITHIN_S) -> None:
        """End it, politely first; a process that is not ours any more is left alone."""
        pid = self.pid
        for number in (signal.SIGTERM, signal.SIGKILL):
            if pid is None:
                break
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                break
            if wait_until(lambda: self.pid is None, timeout_s):
                break
        else:
            raise LocalClusterError(
                f"{self.name} (process {pid}) does not end, not even by SIGKILL; look at it with `ps`"
            )
        self._file.unlink(missing_ok=True)

    def tail(self) -> str:
        """Give the last lines of its log, for a message."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "(no log)"
        return "\n".join(lines[-_TAIL_LINES:])


def _start_time(pid: int) -> str:
    """Give what tells a process from a later one of the same id; empty where there is none or it has ended."""
    # A child of ours that has ended would stay as a zombie; others are none of ours to wait for.
    with contextlib.suppress(OSError):
        os.waitpid(pid, os.WNOHANG)
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(") ")[2].split()
        except OSError:
            return ""
        # The first thread of a process that ends is a zombie before the others have let go of its ports and files.
        state, threads, started = fields[0], int(fields[17]), fields[19]
        return "" if state == "Z" and threads <= 1 else started
    listed = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    flags, _, since = listed.stdout.strip().partition(" ")
    return "" if flags.startswith("Z") else since.strip()
