"""SIGTERM at any moment: the process ends by itself at once, and what it had begun is whole."""

import contextlib
import datetime as dt
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from tests.cluster.audit import Audit
from tests.cluster.operator_process import ACCOUNT, OPERATOR_NAMESPACE, operator_environment
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, KIND, Env
from exchangerates_infra.recorder import Recording
from localcluster.client import Client
from localcluster.control_plane import ControlPlane
from localcluster.rateserver import Fault, RateServer
from localcluster.stack import AppliedStack

Launch = Callable[..., subprocess.Popen[bytes]]

EXEC = "client.authentication.k8s.io/v1"
OBJECTS = 15
"""In each of the bursts."""
GRACE_S = 10.0
"""What the Deployment gives; a SIGKILL follows it. An exit takes about half a second of it."""


@pytest.fixture
def launch(
    stack: AppliedStack, recording: Recording, control_plane: ControlPlane, rates: RateServer, tmp_path: Path
) -> Iterator[Launch]:
    """Start operators whose exit codes are known."""
    assert stack.references()
    kubeconfig = control_plane.service_account_kubeconfig(OPERATOR_NAMESPACE, ACCOUNT, tmp_path / "kubeconfig")
    environment = {
        **operator_environment(recording, rates),
        "PATH": "/usr/bin:/bin",
        "KUBECONFIG": str(kubeconfig),
        Env.HTTP_ADDRESS: "127.0.0.1:0",
    }
    started: list[subprocess.Popen[bytes]] = []

    def start(*prefix: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "exchangerates"], env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def end(process: subprocess.Popen[bytes], pid: int | None = None) -> None:
    """Tell it to end, and see that it does within its grace period, with a code that says that all is well."""
    os.kill(pid or process.pid, signal.SIGTERM)
    assert process.wait(GRACE_S) == 0


def listening(log: Path) -> bool:
    """Tell whether the last start has come as far as its HTTP server."""
    return log.exists() and "health and metrics are served" in log.read_text()


def published(client: Client, namespace: Namespace) -> set[str]:
    """Name the ConfigMaps that the operator has made."""
    maps = client.items("v1", "ConfigMap", namespace.name)
    return {body["metadata"]["name"] for body in maps if "ownerReferences" in body["metadata"]}


def reported(client: Client, namespace: Namespace) -> set[str]:
    """Name the objects whose status tells of a ConfigMap."""
    objects = client.items(API_VERSION, KIND, namespace.name)
    return {body["metadata"]["name"] for body in objects if "configMapName" in body.get("status", {})}


def test_it_ends_while_it_writes(
    launch: Launch,
    namespace: Namespace,
    client: Client,
    tmp_path: Path,
    audit: Callable[[], Audit],
) -> None:
    """Twenty times, at moments spread over a burst of objects: what was published was reported, and nothing is lost."""
    generator, made = random.Random(4), 0  # noqa: S311 - it says where the moments fall
    for _ in range(20):
        (tmp_path / "log").unlink(missing_ok=True)
        process = launch()
        eventually(lambda: listening(tmp_path / "log"), "it has started")
        moment = threading.Timer(generator.uniform(0.0, 0.6), process.send_signal, [signal.SIGTERM])
        moment.start()
        for _ in range(OBJECTS):
            namespace.rate(f"rate-{made}")
            made += 1
        moment.join()
        assert process.wait(GRACE_S) == 0
        assert "Traceback" not in (tmp_path / "log").read_text()
        assert published(client, namespace) == reported(client, namespace)

    done, log = published(client, namespace), audit()
    launch()
    for number in range(made):
        namespace.wait(f"rate-{number}")
    again = [write for write in log.writes() if any(f"/{name}/status?" in write for name in done)]
    assert again == [], "the next start finds what was done"


def test_it_ends_while_a_provider_hangs(launch: Launch, namespace: Namespace, rates: RateServer) -> None:
    """The call's thread does not hold the process up."""
    rates.fail("frankfurter", Fault.HANG)
    process = launch()
    namespace.rate()
    eventually(lambda: rates.calls["frankfurter"] > 0, "it asks")
    end(process)


def test_it_ends_while_it_waits_for_the_api_server(launch: Launch, tmp_path: Path) -> None:
    """Before its first list it has nobody to tell it but itself."""
    kubeconfig = tmp_path / "kubeconfig"
    text = kubeconfig.read_text()
    server = text.split("server: ")[1].split()[0]
    kubeconfig.write_text(text.replace(server, "https://127.0.0.1:1"))
    process = launch()
    eventually(lambda: "waiting for the API server" in (tmp_path / "log").read_text(), "it waits")
    end(process)


@pytest.fixture
def as_first(tmp_path: Path) -> list[str]:
    """The command that makes a program process 1 of a PID namespace, as in a container."""
    command = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not on PATH (on Debian and Ubuntu: apt-get install util-linux)")
    tried = subprocess.run([*command, "true"], cwd=tmp_path, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no PID namespace can be made here: {tried.stderr.strip()}")
    return command


def child_of(process: subprocess.Popen[bytes]) -> int:
    """Give the id of a process' only child, 0 where there is none yet."""
    return int((proc(process.pid) / f"task/{process.pid}/children").read_text().strip() or 0)


def proc(pid: int) -> Path:
    """Give where the kernel tells of a process."""
    return Path("/proc") / str(pid)


def runs(pid: int) -> bool:
    """Tell whether a process is at work; one that has ended may be there until somebody asks how."""
    try:
        return "State:\tZ" not in (proc(pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def hears_sigterm(pid: int) -> bool:
    """Tell whether a process has a handler for SIGTERM; process 1 ignores what it has none for."""
    caught = (proc(pid) / "status").read_text().split("SigCgt:")[1].split()[0]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def has_event_loop(pid: int) -> bool:
    """Tell whether a process has begun to work: before that it imports."""
    targets = list[str]()
    for found in (proc(pid) / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            targets.append(str(found.readlink()))
    return any("eventpoll" in target for target in targets)


@pytest.mark.parametrize("working", [False, True], ids=["while it imports", "at work"])
def test_it_ends_as_the_first_process_of_a_container(
    launch: Launch, as_first: list[str], tmp_path: Path, *, working: bool
) -> None:
    """The kernel spares that one any signal that it has no handler for, from its first moments on."""
    process = launch(*as_first)
    never = threading.Event()
    while not ((pid := child_of(process)) and hears_sigterm(pid)):
        assert process.poll() is None, (tmp_path / "log").read_text()
        never.wait(0.002)
    assert not has_event_loop(pid), "it hears before it imports what takes long"
    if working:
        eventually(lambda: "watching 0 ExchangeRates" in (tmp_path / "log").read_text(), "it works")
    end(process, pid)
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("renewing", [False, True], ids=["at the start", "when a token has ended"])
def test_it_ends_while_a_credential_plugin_hangs(
    launch: Launch, namespace: Namespace, tmp_path: Path, *, renewing: bool
) -> None:
    """The plugin does not stay behind, and neither does what that has started."""
    ended = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kubeconfig, plugin, pids = (tmp_path / name for name in ("kubeconfig", "plugin", "pids"))
    token = Path(f"{kubeconfig}.token").read_text()
    answer = {"kind": "ExecCredential", "apiVersion": EXEC, "status": {"token": token, "expirationTimestamp": ended}}
    hangs = f"echo $$ >>{pids}\nsh -c 'echo $$ >>{pids}; exec sleep 60'\n"
    plugin.write_text(f"#!/bin/sh\ncd {tmp_path}\n[ -e well ] || {{\n{hangs}}}\necho '{json.dumps(answer)}'\n")
    plugin.chmod(0o700)
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"][0]["user"] = {"exec": {"apiVersion": EXEC, "command": str(plugin)}}
    kubeconfig.write_text(yaml.safe_dump(config))
    if renewing:
        (tmp_path / "well").touch()
    process = launch()
    if renewing:
        namespace.rate("before")
        namespace.wait("before")
        (tmp_path / "well").unlink()
        namespace.rate("after")
    eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2, "the plugin hangs")
    end(process)
    assert not any(runs(int(pid)) for pid in pids.read_text().split())
