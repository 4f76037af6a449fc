"""Many objects: what they take of the control plane, and of one operator or several that share their namespaces."""

import time
from contextlib import ExitStack
from dataclasses import dataclass

from tests.benchmarks import contenders
from tests.benchmarks.arena import NAMESPACE, Request, arena, names, wait
from tests.benchmarks.cold import WITHIN_S

from exchangerates.api import Env


@dataclass(frozen=True)
class Scale:
    """What so many objects took.

    Attributes:
        wall_s: From the operators' start to the last object's status, in seconds.
        operators: The CPU time in seconds and the peak memory in MB of each operator.
        api_server_mb: The API server's resident memory, with nothing and with all of it.
        etcd_mb: The same of etcd.
        stored_mb: The same of etcd's database.
        upstream: Calls to rate providers.
    """

    wall_s: float
    operators: list[tuple[float, float]]
    api_server_mb: tuple[float, float]
    etcd_mb: tuple[float, float]
    stored_mb: tuple[float, float]
    upstream: int


def scale(count: int, stacks: int) -> Scale:
    """Have so many objects published by operators that have a namespace each, with as many objects in each."""
    with arena() as made, made.audit() as audit, ExitStack() as running:
        memory, stored = made.memory_mb(), made.stored_mb()
        namespaces = [f"{NAMESPACE}-{number}" for number in range(stacks)]
        for namespace in namespaces:
            made.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            made.create(names(count // stacks), namespace)
        began_s = time.time()
        operators = [
            running.enter_context(contenders.operator(made, **{Env.WATCH_NAMESPACES: namespace}))
            for namespace in namespaces
        ]
        wait(lambda: len(_reported(audit.read())) >= count // stacks * stacks, "all are published", WITHIN_S)
        after = made.memory_mb()
        return Scale(
            wall_s=max(request.at_s for request in audit.requests) - began_s,
            operators=[(operator.cpu_s(), operator.memory_mb()) for operator in operators],
            api_server_mb=(memory["kube-apiserver"], after["kube-apiserver"]),
            etcd_mb=(memory["etcd"], after["etcd"]),
            stored_mb=(stored, made.stored_mb()),
            upstream=made.rates.calls.total(),
        )


def _reported(requests: list[Request]) -> set[tuple[str, str]]:
    return {(r.namespace, r.name) for r in requests if (r.resource, r.code) == ("exchangerates/status", 200)}
