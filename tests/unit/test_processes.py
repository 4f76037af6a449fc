"""Background processes that are found again, and strangers that are not mistaken for them."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from localcluster.errors import LocalClusterError
from localcluster.processes import Process, wait_until

SLEEPER = [sys.executable, "-c", "import signal; print('here', flush=True); signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True)\nwhile 1: signal.pause()",
]

HOLDER = """
import socket, threading
server, memory = socket.create_server(("127.0.0.1", 0)), b"x" * (200 << 20)
for _ in range(16):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("here", server.getsockname()[1], flush=True)
threading.Event().wait()
"""


def running(process: Process) -> bool:
    """Wait until the process has said so."""
    return wait_until(lambda: process.log.exists() and "here" in process.log.read_text(), 30.0)


def test_a_slow_answer_does_not_stretch_the_deadline() -> None:
    """A server that answers each question late is waited for no longer than was said."""
    never, asked = threading.Event(), []

    def slow() -> bool:
        asked.append(1)
        return never.wait(0.3)

    assert not wait_until(slow, 0.5)
    assert len(asked) <= 2


def test_a_process_is_found_again_by_its_file(tmp_path: Path) -> None:
    """Another command, with another object, finds it and ends it."""
    Process(tmp_path, "sleeper").start(SLEEPER)
    again = Process(tmp_path, "sleeper")
    assert running(again)
    assert again.pid is not None
    again.stop()
    again.stop()
    assert Process(tmp_path, "sleeper").pid is None


def test_one_that_was_killed_is_not_taken_for_running(tmp_path: Path) -> None:
    """The file of a killed process names nobody."""
    process = Process(tmp_path, "sleeper")
    process.start(SLEEPER)
    assert running(process)
    os.kill(process.pid or 0, signal.SIGKILL)
    assert wait_until(lambda: process.pid is None, 30.0)


def test_a_stranger_with_the_same_id_is_left_alone(tmp_path: Path) -> None:
    """After a restart of the machine the id may be anybody's."""
    with subprocess.Popen(SLEEPER, stdout=subprocess.DEVNULL) as stranger:
        (tmp_path / "sleeper.pid").write_text(json.dumps({"pid": stranger.pid, "started": "another time"}))
        process = Process(tmp_path, "sleeper")
        assert process.pid is None
        process.stop()
        assert stranger.poll() is None
        stranger.kill()


def test_one_that_has_ended_holds_no_port(tmp_path: Path) -> None:
    """Of a process with many threads the first is gone before the rest; only the last lets go of its ports."""
    process = Process(tmp_path, "holder")
    for _ in range(3):
        process.start([sys.executable, "-c", HOLDER])
        assert running(process)
        port = int(process.log.read_text().split()[1])
        os.kill(process.pid or 0, signal.SIGKILL)
        assert wait_until(lambda: process.pid is None, 30.0, poll_s=0.001)
        socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize("content", ["", "{", "12"])
def test_a_broken_file_names_nobody(tmp_path: Path, content: str) -> None:
    """A file that was cut short is no reason to fail."""
    (tmp_path / "sleeper.pid").write_text(content)
    assert Process(tmp_path, "sleeper").pid is None


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    """SIGTERM first, SIGKILL when the time is over."""
    process = Process(tmp_path, "stubborn")
    process.start(STUBBORN)
    assert running(process)
    process.stop(timeout_s=0.5)
    assert process.pid is None


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The message names the process and the cause."""
    with pytest.raises(LocalClusterError, match="ghost cannot be started"):
        Process(tmp_path, "ghost").start([tmp_path / "nothing"])


def test_the_log_is_of_this_start_only(tmp_path: Path) -> None:
    """A message that shows the last lines shows no older failure."""
    process = Process(tmp_path, "speaker")
    for word in ("first", "second"):
        process.start([sys.executable, "-c", f"print('{word}')"])
        assert wait_until(lambda: process.pid is None, 30.0)
    assert process.tail() == "second"
