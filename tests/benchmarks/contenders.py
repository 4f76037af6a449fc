"""The processes that are compared, and what each has used of the machine."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.arena import NAMESPACE, Arena, memory_mb

from exchangerates.api import Env
from exchangerates_infra.project import OPERATOR, ROOT

ACCOUNT: Final = f"system:serviceaccount:{OPERATOR}:{OPERATOR}"
_serials: Final = itertools.count()
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Contender:
    """A running process.

    Attributes:
        began_s: When it was started, in seconds since 1970.
        log: Its output.
    """

    process: subprocess.Popen[bytes]
    began_s: float
    log: Path

    def cpu_s(self) -> float:
        """Give the CPU time that it has used, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mb(self, field: str = "VmHWM") -> float:
        """Give its resident memory in MB: the most that it has had, or with `VmRSS` what it has."""
        return memory_mb(self.process.pid, field)

    def is_ready(self) -> bool:
        """Tell whether the operator has listed everything."""
        return '"watching ' in self.log.read_text()


@contextmanager
def operator(arena: Arena, **environment: str) -> Iterator[Contender]:
    """Run this operator, as its Deployment would."""
    with _running(
        arena,
        ["-m", "exchangerates"],
        {**arena.environment, "KUBECONFIG": str(arena.kubeconfig), Env.HTTP_ADDRESS: "127.0.0.1:0", **environment},
    ) as contender:
        yield contender


@contextmanager
def floor(arena: Arena, mode: str = "create") -> Iterator[Contender]:
    """Run the bare client, under the operator's account."""
    with _running(arena, ["-m", "tests.benchmarks.floor", json.dumps(arena.account), NAMESPACE, mode], {}) as contender:
        yield contender


@contextmanager
def tutorial(arena: Arena) -> Iterator[Contender]:
    """Run the tutorial's kind of operator, as the administrator, as tutorials do."""
    environment = {
        "KUBECONFIG": str(arena.control_plane.kubeconfig),
        "BENCHMARK_ACCESS": "|".join(arena.administrator),
        "BENCHMARK_RATES": f"{arena.rates_urls['frankfurter']}/v2/rates",
    }
    with _running(arena, ["-m", "tests.benchmarks.tutorial"], environment) as contender:
        yield contender


@contextmanager
def _running(arena: Arena, arguments: list[str], environment: dict[str, str]) -> Iterator[Contender]:
    path = os.pathsep.join(map(str, (ROOT / "operator", ROOT / "infra", ROOT)))
    given = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(arena.directory),
        "PYTHONPATH": path,
        "REQUESTS_CA_BUNDLE": str(arena.trusted),
        **environment,
    }
    log = arena.directory / f"contender-{next(_serials)}.log"
    with log.open("wb") as file:
        began_s = time.time()
        process = subprocess.Popen([sys.executable, *arguments], env=given, cwd=ROOT, stdout=file, stderr=file)
    try:
        yield Contender(process, began_s, log)
    finally:
        process.terminate()
        try:
            process.wait(30.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
