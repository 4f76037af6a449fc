"""The operator as a real process, and what the Deployment gives it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import requests
from tests.cluster import planted
from tests.cluster.waiting import eventually

from exchangerates.api import API_KEYS, Env
from exchangerates_infra.recorder import Recording
from localcluster.processes import Process
from localcluster.rateserver import RateServer

OPERATOR_NAMESPACE = "exchange-rate-operator"
ACCOUNT = "exchange-rate-operator"
_COMMAND = (sys.executable, "-m", "exchangerates")


class Operator:
    """The operator's process. It always has API keys, whether or not it uses them.

    Attributes:
        started: Those that were made since the last search for the key.
    """

    started: ClassVar[list["Operator"]] = []

    def __init__(self, directory: Path, kubeconfig: Path, environment: dict[str, str]) -> None:
        self.process = Process(directory, "operator")
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory),
            "KUBECONFIG": str(kubeconfig),
            **dict.fromkeys(API_KEYS.values(), planted.KEY),
            **environment,
            Env.HTTP_ADDRESS: "127.0.0.1:0",
        }
        self._address = ""
        self._ended = ""
        self.started.append(self)

    def start(self, **environment: str) -> None:
        """Start it and wait until it has listed everything."""
        self.launch(**environment)
        eventually(self.is_ready, f"the operator is ready: {self.process.tail()}")

    def launch(self, **environment: str) -> None:
        """Start it."""
        self._address = ""
        self.process.start(_COMMAND, {**self._environment, **environment})

    def run_to_end(self, **environment: str) -> tuple[int, str]:
        """Run it until it ends by itself; give its exit code and its log."""
        ended = subprocess.run(
            _COMMAND, env={**self._environment, **environment}, capture_output=True, text=True, check=False, timeout=180
        )
        self._ended += ended.stdout + ended.stderr
        return ended.returncode, ended.stdout + ended.stderr

    def stop(self) -> None:
        """End it by SIGTERM."""
        self.process.stop()

    def is_ready(self) -> bool:
        """Tell whether /readyz says so."""
        return self.process.pid is not None and self.get("/readyz").startswith("ok")

    def texts(self) -> Iterator[tuple[str, str]]:
        """Give what it tells to whoever may read it: its log, what it printed, and what its HTTP server answers."""
        log = self.process.log
        yield "the log", log.read_text(errors="replace") if log.exists() else ""
        yield "the output", self._ended
        if self.process.pid is not None:
            for path in ("/metrics", "/healthz", "/readyz"):
                yield path, self.get(path)

    def address(self) -> str:
        """Give the address of its HTTP server; empty before it listens."""
        marker = "health and metrics are served on "
        for line in self.process.log.read_text().splitlines() if not self._address else ():
            if marker in line:
                self._address = json.loads(line)["message"].removeprefix(marker)
        return self._address

    def get(self, path: str) -> str:
        """Ask its HTTP server; empty while it does not listen."""
        if not self.address():
            return ""
        try:
            return requests.get(f"http://{self._address}{path}", timeout=5).text
        except requests.RequestException:
            return ""

    def metric(self, series: str) -> float:
        """Give the value of a series of its metrics, 0 where there is none."""
        lines = self.get("/metrics").splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{series} "))

    def passes(self, reason: str) -> float:
        """Count the passes that ended with a reason."""
        return self.metric(f'exchangerates_reconciles_total{{reason="{reason}"}}')


def operator_environment(recording: Recording, rates: RateServer) -> dict[str, str]:
    """Give what the Deployment sets, with the stand-in's addresses in place of the public ones."""
    (deployment,) = [manifest for manifest in recording.manifests() if manifest["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    return {**environment, Env.PROVIDER_URLS: ",".join(f"{name}={url}" for name, url in rates.urls().items())}


StartOperator = Callable[..., Operator]
"""Starts it, with these variables in place of the Deployment's."""
