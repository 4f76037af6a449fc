"""`localcluster` as a person runs it: real commands, real processes, in a directory of their own."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.cluster.waiting import WITHIN_S
from tests.pictures.terminal import PICTURE, PROMPT, text_of

from exchangerates.api import API_VERSION, KIND
from localcluster.client import Client, Reference
from localcluster.processes import wait_until
from localcluster.workspace import is_free

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "operator", "rateserver")
TABLE = """\
NAMESPACE   NAME                    CURRENCY   BASE   RATE          DATE         PROVIDER      READY
default     exchange-rate-gbp       GBP        EUR    0.8338        2026-10-30   frankfurter   True
default     exchange-rate-jpy       JPY        EUR    175.68        2026-10-30   frankfurter   True
default     exchange-rate-usd       USD        EUR    1.1172        2026-10-30   frankfurter   True
default     exchange-rate-usd-jpy   JPY        USD    157.2502685   2026-10-30   frankfurter   True
"""
UP = ("up", "--stand-in", "--without-pulumi")


class Command:
    """The command with one cluster's directory."""

    def __init__(self, state: Path, binaries: Path) -> None:
        self.state = state
        self._environment = {**os.environ, "KUBEBUILDER_ASSETS": str(binaries)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it in the background."""
        return subprocess.Popen(
            [sys.executable, "-m", "localcluster", "--state", str(self.state), *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run it to its end; give its exit code, output and messages."""
        with self.start(*arguments) as process:
            output, messages = process.communicate(timeout=200)
        return process.returncode, output, messages

    def up(self) -> tuple[str, str]:
        """Bring it up; give output and messages."""
        code, output, messages = self.run(*UP)
        assert code == 0, messages
        return output, messages

    def pids(self) -> dict[str, int]:
        """Give the process ids that `status` shows."""
        _, output, _ = self.run("status")
        return {name: int(pid) for name, pid in re.findall(r"^(\S+) +well +process (\d+)$", output, re.MULTILINE)}


@pytest.fixture
def command(tmp_path: Path, binaries: Path) -> Iterator[Command]:
    """The command with an empty directory; what it started is stopped afterwards."""
    made = Command(tmp_path / "state", binaries)
    yield made
    made.run("down")


def test_up_ends_with_rates_and_a_second_one_changes_nothing(command: Command) -> None:
    """The table of rates; then the same processes, and no object written."""
    output, messages = command.up()
    assert TABLE in output
    assert f"localcluster --state {command.state} kubeconfig" in output
    assert "stack applied without the Pulumi CLI (as asked): 15 objects, 15 changed" in messages
    assert "rates come from a stand-in (as asked)" in messages
    assert same_everywhere(text_of(PICTURE)) == [
        PROMPT,
        *same_everywhere([*messages.splitlines(), *output.splitlines()]),
    ]
    before = command.pids()
    assert set(before) == set(COMPONENTS)
    output, messages = command.up()
    assert TABLE in output
    assert "15 objects, 0 changed" in messages
    assert command.pids() == before
    kubeconfig_stays_and_logs_are_there(command)
    command_ends_everything(command, before)


def same_everywhere(lines: list[str]) -> list[str]:
    """Give the lines without what is another one's on another machine: ports, processes, reasons, the directory."""
    told = [re.sub(r":\d+|process \d+|\(.*?\)| --state \S+", "", line) for line in lines]
    return [line for line in told if line]


def runs(pid: int) -> bool:
    """Tell whether a process runs; one that nobody waits for has ended all the same."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[0] != "Z"
    except OSError:
        return False


def kubeconfig_stays_and_logs_are_there(command: Command) -> None:
    """The printed path is a file that works; every component's log can be read."""
    code, path, _ = command.run("kubeconfig")
    assert code == 0
    with Client(Path(path.strip())) as client:
        assert client.get(Reference(API_VERSION, KIND, "default", "exchange-rate-usd"))
    for component in COMPONENTS:
        assert command.run("logs", component)[0] == 0
    assert "watching 4 ExchangeRates" in command.run("logs")[1]


def command_ends_everything(command: Command, pids: dict[str, int]) -> None:
    """`down` leaves no process, `--purge` no file."""
    assert command.run("down")[0] == 0
    for name, pid in pids.items():
        assert not runs(pid), name
    assert command.state.exists()
    code, _, messages = command.run("status")
    assert code == 1
    assert "starts what does not run" in messages
    assert command.run("down", "--purge")[0] == 0
    assert not command.state.exists()


def test_up_mends_what_was_killed_and_keeps_the_data(command: Command) -> None:
    """The API server and the operator killed, and a port taken meanwhile: the next `up` copes and says so."""
    command.up()
    with Client(Path(command.run("kubeconfig")[1].strip())) as client:
        metadata = {"name": "mine", "namespace": "default"}
        client.create({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {"currency": "CHF"}})
        port = int(client.server.rpartition(":")[2])
    pids = command.pids()
    for name in ("kube-apiserver", "operator"):
        os.kill(pids[name], signal.SIGKILL)
    assert wait_until(lambda: not runs(pids["operator"]), WITHIN_S)
    # The port is let go of by the last thread of the process, not by its first.
    assert wait_until(lambda: is_free(port), WITHIN_S)
    with socket.create_server(("127.0.0.1", port)):
        output, messages = command.up()
    assert f"the port of kube-apiserver ({port}) is taken by another process; choosing others" in messages
    assert re.search(r"default +mine +CHF +EUR", output)
    assert "15 objects, 0 changed" in messages
    assert set(command.pids()) == set(COMPONENTS)


def test_the_operator_follows_the_api_server_to_another_port(command: Command) -> None:
    """Only the API server was killed: the operator, which goes on, must not stay with the old address."""
    command.up()
    kubeconfig = Path(command.run("kubeconfig")[1].strip())
    with Client(kubeconfig) as client:
        port = int(client.server.rpartition(":")[2])
    os.kill(command.pids()["kube-apiserver"], signal.SIGKILL)
    # The port is let go of by the last thread of the process, not by its first.
    assert wait_until(lambda: is_free(port), WITHIN_S)
    with socket.create_server(("127.0.0.1", port)):
        command.up()
        with Client(kubeconfig) as client:
            metadata = {"name": "later", "namespace": "default"}
            client.create({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {"currency": "CHF"}})
            published = Reference("v1", "ConfigMap", "default", "later")
            assert wait_until(lambda: client.get(published), WITHIN_S), command.run("logs")[1]


def test_what_is_not_well_is_shown_and_mended(command: Command) -> None:
    """An ended stand-in and an operator that hangs are no less missing than an API server; a lost kubeconfig too."""
    command.up()
    before = command.pids()
    os.kill(before["rateserver"], signal.SIGKILL)
    os.kill(before["operator"], signal.SIGSTOP)
    try:
        code, output, _ = command.run("status")
        assert code == 1
        assert re.search(r"^rateserver +not running$", output, re.MULTILINE)
        assert re.search(rf"^operator +not well +process {before['operator']}$", output, re.MULTILINE)
        Path(command.run("kubeconfig")[1].strip()).unlink()
        output, _ = command.up()
    finally:
        if runs(before["operator"]):
            os.kill(before["operator"], signal.SIGKILL)
    assert TABLE in output
    assert set(command.pids()) == set(COMPONENTS)


def test_two_clones_at_once_have_two_clusters(command: Command, tmp_path: Path, binaries: Path) -> None:
    """Neither disturbs the other; a second command on the same cluster is told to wait."""
    other = Command(tmp_path / "other", binaries)
    try:
        with ThreadPoolExecutor() as threads:
            ups = [threads.submit(command.run, *UP), threads.submit(other.run, *UP)]
            assert wait_until(lambda: command.state.with_name("state.lock").exists(), WITHIN_S)
            code, _, messages = command.run("down")
            results = [up.result() for up in ups]
        assert (code, "another localcluster command works on" in messages) == (1, True)
        assert [(code, TABLE in output) for code, output, _ in results] == [(0, True), (0, True)]
        assert not set(command.pids().values()) & set(other.pids().values())
    finally:
        other.run("down")


@pytest.mark.parametrize("arguments", [("status",), ("kubeconfig",), ("logs",)], ids=lambda arguments: arguments[0])
def test_without_a_cluster_the_next_step_is_told(command: Command, arguments: tuple[str, ...]) -> None:
    """Nothing is there: exit 1, and how to start."""
    code, output, messages = command.run(*arguments)
    assert (code, output) == (1, "")
    assert f"run localcluster --state {command.state} up" in messages


def test_a_control_plane_that_does_not_come_up_says_why(command: Command, tmp_path: Path) -> None:
    """The component's last lines, its log, and the next step."""
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("etcd", "kube-apiserver", "kube-controller-manager"):
        script = broken / name
        script.write_text("#!/bin/sh\necho 'disk quota exceeded'; exit 1\n")
        script.chmod(0o755)
    code, _, messages = Command(command.state, broken).run(*UP)
    assert code == 1
    assert "etcd does not come up; its last lines:\ndisk quota exceeded" in messages
    assert "down --purge" in messages
