"""N objects wait for a process that is not there yet: from its start to the last write."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final

from tests.benchmarks import contenders
from tests.benchmarks.arena import NAMESPACE, READS, Arena, Request, arena, names, verbs, wait
from tests.benchmarks.contenders import ACCOUNT, Contender

WITHIN_S: Final = 3600.0
Start = Callable[[Arena], AbstractContextManager[Contender]]
Done = Callable[[Iterable[Request]], set[str]]


@dataclass(frozen=True)
class Cost:
    """What some work took.

    Attributes:
        wall_s: From the process's start to the last write's answer, in seconds.
        cpu_s: The process's CPU time, in seconds.
        peak_mb: Its peak resident memory, in MB.
        upstream: Calls to rate providers.
        verbs: Its requests by verb and resource.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    upstream: int
    verbs: dict[str, int] = field(default_factory=dict)


def reported(requests: Iterable[Request]) -> set[str]:
    """Name the objects whose status was written."""
    return {
        r.name
        for r in requests
        if (r.verb, r.resource, r.code) == ("patch", "exchangerates/status", 200) and r.namespace == NAMESPACE
    }


def published(requests: Iterable[Request]) -> set[str]:
    """Name the objects whose ConfigMap was created."""
    return {
        r.name
        for r in requests
        if (r.verb, r.resource, r.code) == ("create", "configmaps", 201) and r.namespace == NAMESPACE
    }


CONTENDERS: Final[dict[str, tuple[Start, Done]]] = {
    "floor": (contenders.floor, reported),
    "operator": (contenders.operator, reported),
    "tutorial": (contenders.tutorial, published),
}


def cold(name: str, count: int) -> Cost:
    """Measure one contender on a control plane of its own."""
    start, done = CONTENDERS[name]
    with arena() as made:
        made.create(names(count))
        time.sleep(2.0)  # the API server's own caches settle
        with made.audit() as audit, start(made) as contender:
            cpu_s = peak_mb = 0.0

            def is_done() -> bool:
                nonlocal cpu_s, peak_mb
                cpu_s, peak_mb = max(cpu_s, contender.cpu_s()), max(peak_mb, contender.memory_mb())
                return len(audit.read()) >= count and len(done(audit.requests)) >= count

            wait(
                is_done,
                f"{name} has served {count} objects; its log ends: {contender.log.read_text()[-500:]}",
                WITHIN_S,
            )
            user = ACCOUNT if name != "tutorial" else None
            own = [r for r in audit.requests if user in (None, r.user)]
            writes = [r.at_s for r in own if r.verb not in READS and r.namespace == NAMESPACE and r.code in (200, 201)]
            return Cost(max(writes) - contender.began_s, cpu_s, peak_mb, made.rates.calls.total(), dict(verbs(own)))
