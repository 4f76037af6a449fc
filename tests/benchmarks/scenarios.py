"""What happens after the first rates: restarts, refreshes, bursts, quiet; each on a control plane of its own."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.benchmarks import contenders
from tests.benchmarks.arena import CURRENCIES, NAMESPACE, READS, Arena, Audit, Request, arena, names, verbs, wait
from tests.benchmarks.cold import WITHIN_S, reported
from tests.benchmarks.contenders import ACCOUNT, Contender

from exchangerates.api import API_VERSION, KIND
from localcluster.client import Reference

QUIET_S: Final = 5.0
"""How long nothing has to be written until work is taken to be done."""
SHORT: Final = "1m"
"""The shortest refresh interval; refreshes then spread over three seconds more."""
SHORT_S: Final = 60.0
BURST: Final = 500
CHANGES: Final = 30
STARTS: Final = 5
_MILLI: Final = 1000.0


@dataclass(frozen=True)
class Work:
    """What one scenario cost.

    Attributes:
        wall_s: From the first write to the last, or as the scenario says.
        cpu_s: The process's CPU time, in seconds.
        peak_mb: Its peak resident memory, in MB.
        upstream: Calls to rate providers.
        writes: Its writes to the API server.
        verbs: Its requests by verb and resource.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    upstream: int
    writes: int
    verbs: dict[str, int]


class Stopwatch:
    """Measures an operator or the floor between two moments."""

    def __init__(self, made: Arena, audit: Audit, process: Contender) -> None:
        self._made, self._audit, self._process = made, audit, process
        self._first = len(audit.read())
        self._cpu_s = process.cpu_s()
        self._upstream = made.rates.calls.total()
        self.last_cpu_s = self._cpu_s

    def own(self) -> list[Request]:
        """Give the account's requests since the beginning."""
        self.last_cpu_s = self._process.cpu_s()
        return [request for request in self._audit.read()[self._first :] if request.user == ACCOUNT]

    def work(self, *, since_s: float | None = None) -> Work:
        """Give what was done; wall time counts from the first write unless told otherwise."""
        own = self.own()
        writes = [request for request in own if request.verb not in READS and request.namespace == NAMESPACE]
        ends = [request.at_s for request in writes] or [since_s or 0.0]
        return Work(
            wall_s=max(ends) - (min(ends) if since_s is None else since_s),
            cpu_s=self.last_cpu_s - self._cpu_s,
            peak_mb=self._process.memory_mb(),
            upstream=self._made.rates.calls.total() - self._upstream,
            writes=len(writes),
            verbs=dict(verbs(own)),
        )


@contextmanager
def converged(count: int, **spec: object) -> Iterator[tuple[Arena, Audit]]:
    """Give a control plane with so many objects that are published already, and no operator."""
    with arena() as made, made.audit() as audit:
        made.create(names(count), **spec)
        with contenders.operator(made):
            wait(lambda: len(reported(audit.read())) >= count, f"{count} objects are published", WITHIN_S)
        yield made, audit


def restart(count: int) -> Work:
    """A new process over objects that are published: until it has listed all, and what it does in the seconds after."""
    with converged(count) as (made, audit), contenders.operator(made) as process:
        watch = Stopwatch(made, audit, process)
        wait(process.is_ready, "it has listed everything", WITHIN_S)
        ready_s = time.time() - process.began_s
        time.sleep(2 * QUIET_S)
        done = watch.work()
        return Work(ready_s, done.cpu_s, done.peak_mb, done.upstream, done.writes, done.verbs)


def refresh(count: int, *, changed: bool) -> Work:
    """Every object looks for a newer quote, the same one or another: all at once, they were due while nobody was there.

    In an operator that runs they come due as they were published, and it is that time which would be measured.
    """
    with converged(count, refreshInterval=SHORT) as (made, audit):
        time.sleep(SHORT_S + QUIET_S)
        if changed:
            made.move_rates("1.0010")
        with contenders.operator(made) as process:
            watch = Stopwatch(made, audit, process)
            wait(process.is_ready, "it has listed everything", WITHIN_S)
            if changed:
                wait(lambda: len(reported(watch.own())) >= count, "every object is refreshed", WITHIN_S)
            else:
                time.sleep(2 * QUIET_S)
            return watch.work()


def floor_update(count: int) -> Work:
    """The bare client changes what is published already: the floor of a refresh that changes every rate."""
    with converged(count) as (made, audit):
        time.sleep(SHORT_S + QUIET_S)  # as in `refresh`: the control plane still has work till then
        with contenders.floor(made, "update") as process:
            watch = Stopwatch(made, audit, process)
            wait(lambda: len(reported(watch.own())) >= count, "every object is changed", WITHIN_S)
            return watch.work()


def burst(count: int) -> list[float]:
    """New objects while all others are refreshed: give their latencies, creation to status, in milliseconds, sorted."""
    with arena() as made, made.audit() as audit:
        made.create(names(count), refreshInterval=SHORT)
        with contenders.operator(made) as process:
            wait(lambda: len(reported(audit.read())) >= count, f"{count} objects are published", WITHIN_S)
            made.move_rates("1.0010")
            watch = Stopwatch(made, audit, process)
            wait(lambda: len(reported(watch.own())) >= count // 20, "the refresh is under way", WITHIN_S)
            new = set(names(BURST, "new"))
            made.create(sorted(new))
            wait(lambda: len(reported(watch.own()) & new) >= BURST, "the new ones are published", WITHIN_S)
            began = {r.name: r.at_s for r in audit.requests if (r.verb, r.resource) == ("create", "exchangerates")}
            ended = {r.name: r.at_s for r in watch.own() if r.resource == "exchangerates/status" and r.name in new}
            return sorted((ended[name] - began[name]) * _MILLI for name in new)


def deletion(count: int) -> Work:
    """All objects are deleted: what the operator does while garbage collection takes their ConfigMaps."""
    with arena() as made, made.audit() as audit:
        made.create(names(count))
        with contenders.operator(made) as process:
            wait(lambda: len(reported(audit.read())) >= count, f"{count} objects are published", WITHIN_S)
            watch, began_s = Stopwatch(made, audit, process), time.time()
            made.delete_all()
            wait(lambda: len(made.client.items("v1", "ConfigMap", NAMESPACE)) <= 1, "all ConfigMaps are gone", WITHIN_S)
            gone_s = time.time() - began_s
            time.sleep(QUIET_S)
            done = watch.work()
            return Work(gone_s, done.cpu_s, done.peak_mb, done.upstream, done.writes, done.verbs)


def idle(count: int, seconds: float) -> Work:
    """Nothing happens: CPU and requests of so many seconds, after those of the start."""
    with arena() as made, made.audit() as audit:
        made.create(names(count))
        with contenders.operator(made) as process:
            wait(lambda: len(reported(audit.read())) >= count, f"{count} objects are published", WITHIN_S)
            time.sleep(2 * QUIET_S)
            watch = Stopwatch(made, audit, process)
            time.sleep(seconds)
            done = watch.work()
            return Work(seconds, done.cpu_s, process.memory_mb("VmRSS"), done.upstream, done.writes, done.verbs)


def first_ready() -> list[float]:
    """Start with one object that waits: seconds from the process's start to its status, sorted."""
    took = []
    with arena() as made, made.audit() as audit:
        for number in range(STARTS):
            (name,) = names(1, f"first-{number}")
            made.create([name])
            with contenders.operator(made) as process:
                wait(lambda name=name: name in reported(audit.read()), "it is published", WITHIN_S)
                (at_s,) = [r.at_s for r in audit.requests if (r.resource, r.name) == ("exchangerates/status", name)]
                took.append(at_s - process.began_s)
    return sorted(took)


def reaction(count: int) -> list[float]:
    """Change one of so many quiet objects: give the milliseconds from its write to its ConfigMap's, sorted."""
    took = []
    with arena() as made, made.audit() as audit:
        made.create(names(count))
        with contenders.operator(made):
            wait(lambda: len(reported(audit.read())) >= count, f"{count} objects are published", WITHIN_S)
            time.sleep(2 * QUIET_S)
            (name,) = names(1)
            for currency in itertools.islice(itertools.cycle((*CURRENCIES[1:], CURRENCIES[0])), CHANGES):
                before = len(audit.read())
                made.client.patch(Reference(API_VERSION, KIND, NAMESPACE, name), {"spec": {"currency": currency}})
                wait(lambda before=before: reported(audit.read()[before:]), "it is published", WITHIN_S)
                at = {(r.verb, r.resource): r.at_s for r in audit.requests[before:] if r.name == name}
                took.append((at["patch", "configmaps"] - at["patch", "exchangerates"]) * _MILLI)
                time.sleep(0.5)
    return sorted(took)


def nothing() -> tuple[float, float]:
    """Give resident memory in MB, and CPU seconds of the start, of an operator with no objects."""
    with arena() as made, contenders.operator(made) as process:
        wait(process.is_ready, "it has listed everything", WITHIN_S)
        time.sleep(QUIET_S)
        return process.memory_mb("VmRSS"), process.cpu_s()


def percentile(values: list[float], share: float) -> float:
    """Give the value that this share of the sorted values does not exceed."""
    return values[min(int(len(values) * share), len(values) - 1)]
