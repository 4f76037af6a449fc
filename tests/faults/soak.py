"""Runs the operator amid random faults for as long as you like: `python -m tests.faults.soak --minutes 30`.

It has a control plane of its own. Objects come, change and go all the time; every half a minute a fault is chosen,
lasts for a while, and ends. What is published is looked at all the time, and after each fault all objects have to be
Ready in time. The exit code is 1 where anything was wrong. The same seed chooses the same faults.
"""

import argparse
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final

from tests.faults import report
from tests.faults.faults import Churn, api_server_killed, compact_etcd, rights_taken
from tests.faults.gate import Meddling, well
from tests.faults.meddling import answering, dropping, slowly
from tests.faults.report import Report
from tests.faults.scene import PROVIDERS, SPECS, Scene, scene

from exchangerates.api import Env
from exchangerates_infra.recorder import record, stack_file_values
from localcluster.binaries import ensure_binaries
from localcluster.client import Client
from localcluster.control_plane import ControlPlane
from localcluster.errors import LocalClusterError
from localcluster.processes import wait_until
from localcluster.rateserver import Fault
from localcluster.stack import AppliedStack

NAMESPACE: Final = "soak"
LASTS_S: Final = (2.0, 20.0)
"""The least and the most that a fault lasts."""
RECOVERED_WITHIN_S: Final = 30.0
MOVES_EVERY_S: Final = 120.0
"""How often a new day's rates are quoted: each object looks for one once a minute."""
CAUGHT_UP_WITHIN_S: Final = 110.0
"""A minute, its jitter, and a write for each object."""
UNQUOTED_WITHIN_S: Final = 100.0
"""Where the answer was whole but for a currency: it is looked for again after the refresh interval, here a minute."""
PAUSE_S: Final = (5.0, 15.0)
"""Between two faults."""
DAY_S: Final = 86400.0

Make = Callable[[Scene, random.Random], AbstractContextManager[None]]


@contextmanager
def _meddled(place: Scene, meddling: Meddling) -> Iterator[None]:
    place.gate.meddling = meddling
    place.gate.cut()
    yield
    place.gate.meddling = well


@contextmanager
def _killed(place: Scene, _: random.Random) -> Iterator[None]:
    place.kill_operator()
    yield
    place.operator.start()


@contextmanager
def _compacted(place: Scene, _: random.Random) -> Iterator[None]:
    compact_etcd(place.control_plane)
    place.gate.cut()
    yield


@contextmanager
def _jumped(place: Scene, generator: random.Random) -> Iterator[None]:
    place.shift_clock(generator.choice([-300, -1, 1, 400]) * DAY_S)
    yield
    place.shift_clock(0)


@contextmanager
def _unresolved(place: Scene, _: random.Random) -> Iterator[None]:
    place.unresolve()
    yield
    place.unresolve(ended=True)


@contextmanager
def _upstream(place: Scene, fault: Fault) -> Iterator[None]:
    place.market.distort(fault, *PROVIDERS)
    yield
    place.market.rates.heal()


def kinds() -> dict[str, Make]:
    """Give every kind of fault by its name."""
    found: dict[str, Make] = {
        "API server killed": lambda place, _: api_server_killed(place.control_plane),
        "etcd compacted, watches cut": _compacted,
        "rights taken away": lambda place, _: rights_taken(place.client),
        "API server answers 429": lambda place, g: _meddled(
            place, answering(HTTPStatus.TOO_MANY_REQUESTS, g, share=0.5, Retry_After="1")
        ),
        "API server answers 500": lambda place, g: _meddled(
            place, answering(HTTPStatus.INTERNAL_SERVER_ERROR, g, share=0.5)
        ),
        "API server answers 503": lambda place, g: _meddled(place, answering(HTTPStatus.SERVICE_UNAVAILABLE, g)),
        "API server slow": lambda place, _: _meddled(place, slowly(1.0)),
        "connections dropped": lambda place, g: _meddled(place, dropping(g, share=0.5)),
        "operator killed": _killed,
        "clock jumps": _jumped,
        "provider's name not resolved": _unresolved,
    }
    minute_long = {Fault.HTTP_503_RETRY_DATE}  # its own wish is a minute, in which new objects wait as it asks for
    for fault in Fault:
        if fault not in minute_long:
            found[f"providers: {fault}"] = lambda place, _, fault=fault: _upstream(place, fault)  # type: ignore[misc] # bound now
    return found


class Soak:
    """One run.

    Args:
        place: The operator and all around it.
        seed: Chooses what happens.
        found: Is told what happened.
    """

    def __init__(self, place: Scene, seed: int, found: Report) -> None:
        self._place, self._found = place, found
        self._generator = random.Random(seed)  # noqa: S311 - a seed is to choose the same again
        self._churn = Churn(place, NAMESPACE, self._generator)
        self._never = threading.Event()
        self._moved_at = time.monotonic()

    def fill(self, objects: int) -> None:
        """Create the objects, and wait until all are Ready."""
        for number in range(objects):
            spec = SPECS[number % len(SPECS)]
            self._place.create(NAMESPACE, f"rate-{number}", spec)
        self._place.wait(NAMESPACE, within_s=300.0)

    def run(self, minutes: float) -> None:
        """Inject faults for so long."""
        end = time.monotonic() + 60.0 * minutes
        faults, names = kinds(), list[str]()
        while time.monotonic() < end:
            if not names:  # every kind once, in any order, before one comes again
                names = self._generator.sample(list(faults), len(faults))
            name = names.pop()
            self._inject(name, faults[name])
            self._found.tell(self._place, name)
            self._live(self._generator.uniform(*PAUSE_S))
        self._move()
        self._await_market()

    def _inject(self, name: str, make: Make) -> None:
        with make(self._place, self._generator):
            self._live(self._generator.uniform(*LASTS_S))
        ended = time.monotonic()
        within_s = UNQUOTED_WITHIN_S if name.endswith(Fault.DROPPED) else RECOVERED_WITHIN_S
        if not wait_until(lambda: not self._unsettled(), within_s, poll_s=1.0):
            self._found.violations.append(
                f"after {name!r}: not all are Ready within {within_s:.0f} s: {self._unsettled()}"
            )
            wait_until(lambda: not self._unsettled(), 600.0, poll_s=2.0)
        self._found.recovered(name, time.monotonic() - ended)
        if time.monotonic() - self._moved_at > MOVES_EVERY_S:
            self._await_market()
            self._move()

    def _live(self, seconds: float) -> None:
        """Let users do what they do, several times a second."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self._churn.step()
            except LocalClusterError:
                self._found.refused += 1  # the API server is down: to users too
            self._never.wait(0.3)

    def _unsettled(self) -> dict[str, str]:
        return dict(list(self._place.unsettled(NAMESPACE).items())[:5])

    def _move(self) -> None:
        if self._place.market.days_left():
            self._place.market.move()
        self._moved_at = time.monotonic()

    def _await_market(self) -> None:
        """See that each object has looked for a newer rate since the last move, and so is not forgotten."""
        today = self._place.market.today
        if not wait_until(lambda: not self._place.unsettled(NAMESPACE, today), CAUGHT_UP_WITHIN_S, poll_s=1.0):
            late = list(self._place.unsettled(NAMESPACE, today).items())
            self._found.violations.append(f"forgotten, or too late for {today}: {len(late)}, such as {late[:3]}")


def main() -> int:
    """Run, print, and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long faults are injected")
    parser.add_argument(
        "--objects", type=int, default=2000, help="how many objects there are besides those that change"
    )
    parser.add_argument("--seed", type=int, default=7, help="chooses the faults")
    parser.add_argument("--write", action="store_true", help="write the report into docs/soak.md")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing that was started stays
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        control_plane = ControlPlane(directory / "control-plane", ensure_binaries(print))
        opened.callback(control_plane.stop)
        control_plane.start(print)
        recording = record("local", stack_file_values("local", {"rates": []}))
        with Client(control_plane.kubeconfig) as client:
            AppliedStack(client, directory / "applied.json").apply(recording.manifests())
        place = opened.enter_context(scene(control_plane, recording, directory, **{Env.REFRESH_INTERVAL: "1m"}))
        place.namespace(NAMESPACE)
        found = Report(arguments.objects, arguments.seed)
        soak = Soak(place, arguments.seed, found)
        soak.fill(arguments.objects)
        found.begin(place)
        soak.run(arguments.minutes)
        found.end(place)
    sys.stdout.write(found.markdown())
    if arguments.write:
        report.write(found)
    return 1 if found.violations else 0


if __name__ == "__main__":
    sys.exit(main())
