"""What runs in an enclosure ends with it, and nothing of it stays, also when the test run is killed."""

import functools
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.node.builder_main import answers
from tests.node.cgroups import hierarchies
from tests.node.door import Door
from tests.node.enclosure import Enclosure, sweep
from tests.node.node import eventually

from exchangerates_infra.project import ROOT
from localcluster.rateserver import RateServer

KINDS = ("mnt", "net", "pid", "cgroup", "ipc", "uts")


def namespaces(processes: str = "[0-9]*") -> set[str]:
    """Name the namespaces of all processes, or of some."""
    found = set()
    for kind in KINDS:
        for link in Path("/proc").glob(f"{processes}/ns/{kind}"):
            try:
                found.add(str(link.readlink()))
            except OSError:
                continue  # it has ended meanwhile
    return found


def places(name: str) -> list[Path]:
    """Give what there is of an enclosure in the file systems that outlive it."""
    candidates = [Path(tempfile.gettempdir()) / name, *(hierarchy / name for hierarchy in hierarchies())]
    return [path for path in candidates if path.exists()]


def processes(name: str) -> list[int]:
    """Give the processes in an enclosure's cgroups."""
    files = [file for hierarchy in hierarchies() for file in (hierarchy / name).rglob("cgroup.procs")]
    return sorted({int(pid) for file in files for pid in file.read_text().split()})


def alive(pids: list[int]) -> list[int]:
    """Give those that still run; one that has ended and that nobody has asked about is none."""
    states = {pid: Path(f"/proc/{pid}/stat") for pid in pids}
    return [pid for pid, stat in states.items() if stat.exists() and stat.read_text().rpartition(") ")[2][0] != "Z"]


@pytest.fixture
def killed() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another test run with an enclosure: its process, and the enclosure's name."""
    script = """
        import sys
        from tests.node.enclosure import Enclosure
        enclosure = Enclosure(network=True)
        enclosure.start("trial_main")
        print(enclosure.directory.name, flush=True)
        sys.stdin.read()
        enclosure.stop()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "infra", ROOT / "operator")))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        yield other, name
        other.kill()
    eventually(lambda: sweep() or not places(name), f"{name} is swept")
    assert places(name) == []


def test_nothing_stays_of_a_stopped_one() -> None:
    """No process, namespace, network interface, mount, cgroup or file."""
    mounts = Path("/proc/self/mountinfo").read_text()
    enclosure = Enclosure(network=True)
    enclosure.start("trial_main")
    name = enclosure.directory.name
    assert len(places(name)) == 1 + len(hierarchies())
    assert len(processes(name)) >= 3
    own = {space for pid in processes(name) for space in namespaces(str(pid))} - namespaces("self")
    assert {space.partition(":")[0] for space in own} == set(KINDS)
    enclosure.stop()
    assert places(name) == []
    eventually(lambda: not own & namespaces(), "the namespaces are gone", lambda: str(own & namespaces()))
    assert Path("/proc/self/mountinfo").read_text() == mounts


def test_a_killed_run_leaves_nothing_that_runs(killed: tuple[subprocess.Popen[str], str]) -> None:
    """The kernel ends every process with the test run, also those in sessions and cgroups of their own."""
    other, name = killed
    inside = processes(name)
    assert len(inside) >= 3
    os.kill(other.pid, signal.SIGKILL)
    eventually(lambda: processes(name) == [], "all have ended", lambda: str(processes(name)))
    left = functools.partial(alive, inside)
    eventually(lambda: left() == [], "nothing runs", lambda: str(left()))
    assert places(name), "what is left is removed by the next run, and this is none"


def test_a_run_leaves_others_alone(killed: tuple[subprocess.Popen[str], str]) -> None:
    """An enclosure of a run that goes on is not swept."""
    _, name = killed
    assert name not in sweep()
    assert len(places(name)) == 1 + len(hierarchies())
    assert len(processes(name)) >= 3


def test_its_network_is_its_own() -> None:
    """A thread is in it as long as it says, and is back then; this machine has none of its addresses."""
    enclosure = Enclosure(network=True)
    enclosure.start("trial_main")
    try:
        here = Path("/proc/thread-self/ns/net").readlink()
        with enclosure.inside():
            there = Path("/proc/thread-self/ns/net").readlink()
            interfaces = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
            with enclosure.outside():
                assert Path("/proc/thread-self/ns/net").readlink() == here
            assert Path("/proc/thread-self/ns/net").readlink() == there
        assert there != here
        assert Path("/proc/thread-self/ns/net").readlink() == here
        assert "trial" in interfaces
        assert not Path("/sys/class/net/trial").exists()
    finally:
        enclosure.stop()


def test_a_door_leads_into_its_network() -> None:
    """From a port of the machine to a server that is in the enclosure's network alone."""
    enclosure = Enclosure(network=True)
    with ExitStack() as until_the_end:
        until_the_end.callback(enclosure.stop)
        enclosure.start("trial_main")
        with enclosure.inside():
            server = until_the_end.enter_context(RateServer())
        port = int(server.server_address[1])
        door = Door(("127.0.0.1", port))
        with enclosure.inside():
            until_the_end.enter_context(door)
        path = "ecb/stats/eurofxref/eurofxref-daily.xml"
        assert not answers(f"http://127.0.0.1:{port}/{path}")
        assert answers(f"http://127.0.0.1:{door.port}/{path}")
