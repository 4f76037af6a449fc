"""SIGTERM at any moment: the process ends by itself at once, and what it had begun is whole."""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cluster.conftest import ACCOUNT, OPERATOR_NAMESPACE, Audit, Namespace, eventually, operator_environment

from exchangerates.api import API_VERSION, KIND, Env
from exchangerates_infra.recorder import Recording
from localcluster.client import Client
from localcluster.control_plane import ControlPlane
from localcluster.rateserver import Fault, RateServer
from localcluster.stack import AppliedStack

OBJECTS = 15
"""In each of the bursts."""
GRACE_S = 10.0
"""What the Deployment gives; a SIGKILL follows it. An exit takes about half a second of it."""


@pytest.fixture
def launch(
    stack: AppliedStack, recording: Recording, control_plane: ControlPlane, rates: RateServer, tmp_path: Path
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
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

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "exchangerates"], env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def end(process: subprocess.Popen[bytes]) -> None:
    """Tell it to end, and see that it does within its grace period, with a code that says that all is well."""
    process.send_signal(signal.SIGTERM)
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
    launch: Callable[[], subprocess.Popen[bytes]],
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


def test_it_ends_while_a_provider_hangs(
    launch: Callable[[], subprocess.Popen[bytes]], namespace: Namespace, rates: RateServer
) -> None:
    """The call's thread does not hold the process up."""
    rates.fail("frankfurter", Fault.HANG)
    process = launch()
    namespace.rate()
    eventually(lambda: rates.calls["frankfurter"] > 0, "it asks")
    end(process)


def test_it_ends_while_it_waits_for_the_api_server(
    launch: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """Before its first list it has nobody to tell it but itself."""
    kubeconfig = tmp_path / "kubeconfig"
    text = kubeconfig.read_text()
    server = text.split("server: ")[1].split()[0]
    kubeconfig.write_text(text.replace(server, "https://127.0.0.1:1"))
    process = launch()
    eventually(lambda: "waiting for the API server" in (tmp_path / "log").read_text(), "it waits")
    end(process)
