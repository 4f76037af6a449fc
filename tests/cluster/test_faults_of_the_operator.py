"""The operator is killed at every step, cut off from the API server in every way, and told a wrong time."""

import random
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import count

import pytest
from aiohttp import web
from tests.cluster.waiting import eventually
from tests.faults.faults import Churn
from tests.faults.gate import Forward, Meddling, well
from tests.faults.market import OVER
from tests.faults.meddling import Holding, answering, dropping, slowly
from tests.faults.scene import PROVIDERS, Scene, settled_scene

from exchangerates.api import API_VERSION, KIND
from exchangerates_infra.recorder import Recording
from localcluster.client import Reference
from localcluster.control_plane import ControlPlane
from localcluster.processes import wait_until
from localcluster.rateserver import Fault
from localcluster.stack import AppliedStack

DAY_S = 86400.0
MEDDLED = 12
"""Requests that a fault is to meet before it ends."""
KILLED = ("new", "changed", "renamed", "replaced")
"""What the operator is at when it is killed: each has a namespace, with one object that is served then."""
LEAST_S = 1.1
"""A little more than the rate providers' least interval."""


@pytest.fixture(scope="module")
def faulty(
    stack: AppliedStack, control_plane: ControlPlane, recording: Recording, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """An operator behind a gate."""
    assert stack.references()
    with settled_scene(control_plane, recording, tmp_path_factory.mktemp("faulty", numbered=False)) as made:
        yield made


def seeded(make: Callable[[random.Random], Meddling]) -> Meddling:
    """Give a meddling that meets some requests, always the same."""
    return make(random.Random(7))  # noqa: S311 - says which


@pytest.mark.parametrize(
    "meddling",
    [
        pytest.param(
            lambda: seeded(lambda g: answering(HTTPStatus.TOO_MANY_REQUESTS, g, share=0.5, Retry_After="1")), id="429"
        ),
        pytest.param(lambda: seeded(lambda g: answering(HTTPStatus.INTERNAL_SERVER_ERROR, g, share=0.5)), id="500"),
        pytest.param(lambda: seeded(lambda g: answering(HTTPStatus.SERVICE_UNAVAILABLE, g)), id="503"),
        pytest.param(lambda: slowly(0.5), id="slow"),
        pytest.param(lambda: seeded(lambda g: dropping(g, share=0.5)), id="dropped"),
    ],
)
def test_a_bad_way_to_the_api_server_loses_nothing(faulty: Scene, meddling: Callable[[], Meddling]) -> None:
    """While objects come, change and go: a write may be made, and its answer be lost."""
    namespace = faulty.namespace(f"way-{time.monotonic_ns()}")
    churn, met = Churn(faulty, namespace, random.Random(8)), list[str]()  # noqa: S311 - says what happens
    for _ in range(5):
        churn.step()
    meddle = meddling()

    async def counted(request: web.Request, forward: Forward) -> web.StreamResponse:
        met.append(request.path)
        return await meddle(request, forward)

    faulty.gate.meddling = counted
    faulty.gate.cut()
    for _ in range(20):
        churn.step()
    eventually(lambda: len(met) >= MEDDLED, f"the operator has asked for something, not {met}", 60.0)
    faulty.gate.meddling = well
    faulty.settle("faulty", namespace)
    faulty.remove(namespace)


@pytest.mark.parametrize("days", [1, -1, 400, -300])
def test_a_clock_that_jumps_and_jumps_back_leaves_no_wrong_rate(faulty: Scene, days: int) -> None:
    """By days, forward and back; what is looked at meanwhile is judged by the wrong day, and by the right one after."""
    faulty.market.move()
    passes = total_passes(faulty)
    faulty.shift_clock(days * DAY_S)
    faulty.one_of_each("faulty", f"jumped{days}")
    faulty.wish("faulty", *(f"rate-{number}" for number in range(3)))
    eventually(lambda: total_passes(faulty) >= passes + 6, "objects are looked at")
    faulty.shift_clock(0)
    faulty.settle("faulty")


def test_a_host_whose_name_is_not_resolved_is_one_more_provider_that_fails(faulty: Scene) -> None:
    """The next one of the chain answers; when the name is there again, so is the first one."""
    faulty.unresolve()
    faulty.market.move()
    calls = faulty.market.rates.calls["frankfurter"]
    faulty.create("faulty", "unresolved", {"currency": "USD"})
    faulty.wait("faulty")
    faulty.wait("faulty", today=faulty.market.today, wishing=True)
    assert faulty.market.rates.calls["frankfurter"] == calls
    faulty.unresolve(ended=True)
    faulty.settle("faulty")

    def is_asked() -> bool:
        """Wish for a newer quote: where every object has one, a provider that failed is left alone for a while."""
        faulty.wish("faulty", "unresolved")
        return faulty.market.rates.calls["frankfurter"] > calls

    assert wait_until(is_asked, 150.0, poll_s=0.5), "the first one is asked again"


def test_an_operator_that_is_killed_at_any_step_leaves_nothing_half_done(faulty: Scene) -> None:
    """Before each request of a whole pass, and after it with all providers down at the restart.

    To the next start, after one request is before the next: each state is met with the providers well, and down.
    """
    spaces = {kind: faulty.namespace(f"killed-{kind}") for kind in KILLED}
    faulty.create(spaces["changed"], "rate", {"currency": "USD"})
    faulty.create(spaces["renamed"], "rate", {"currency": "USD"})
    faulty.create(spaces["replaced"], "rate", {"currency": "USD", "date": OVER[0], "target": {"immutable": True}})
    faulty.wait(*spaces.values())
    held: dict[str, None] = {}
    for number in count():
        steps = [*kill(faulty, spaces, number, made=False), *kill(faulty, spaces, number, made=True)]
        held |= dict.fromkeys(steps)
        if number > 0 and not steps:
            break
    assert {step.split("/")[0].rpartition(" ")[0] for step in held} >= {"new POST", "changed PATCH", "renamed DELETE"}
    faulty.remove(*spaces.values())


def kill(faulty: Scene, spaces: dict[str, str], number: int, *, made: bool) -> list[str]:
    """Kill the operator at the n-th request about each object (0: while rates are fetched), and see that all recover.

    Returns:
        The steps at which it was, by what it was at.
    """
    rates = faulty.market.rates
    eventually(lambda: time.monotonic() > max(rates.times["frankfurter"]) + LEAST_S, "rates may be fetched again")
    faulty.market.move()
    holding = Holding(faulty.gate, frozenset(spaces.values()), number, made=made)
    faulty.gate.meddling = holding
    calls = rates.calls["frankfurter"]
    if number == 0:
        faulty.market.distort(Fault.HANG, *PROVIDERS)
    begin(faulty, spaces)
    if number == 0:
        eventually(lambda: rates.calls["frankfurter"] > calls, "rates are asked for")
    else:
        eventually(
            lambda: all(
                space in holding.held or not faulty.unsettled(space, faulty.market.today if kind == "changed" else "")
                for kind, space in spaces.items()
            ),
            f"each is held or whole at request {number}",
        )
    faulty.kill_operator()
    faulty.gate.meddling = well
    holding.release()
    rates.heal()
    if made:
        faulty.market.distort(Fault.HTTP_500, *PROVIDERS)
    faulty.operator.start()
    eventually(lambda: total_passes(faulty) >= len(spaces), "all are looked at after the restart")
    rates.heal()
    faulty.wait(*spaces.values())
    faulty.wait(spaces["changed"], today=faulty.market.today)
    assert faulty.invariant.violations == []
    return [f"{kind} {holding.held[space]}" for kind, space in spaces.items() if space in holding.held]


def begin(faulty: Scene, spaces: dict[str, str]) -> None:
    """Give the operator something to do in each namespace."""
    serial = time.monotonic_ns()
    faulty.create(spaces["new"], f"rate-{serial}", {"currency": "USD"})
    faulty.wish(spaces["changed"], "rate")
    change(faulty, spaces["renamed"], {"target": {"name": f"rate-{serial}"}})
    reference = Reference(API_VERSION, KIND, spaces["replaced"], "rate")
    day = (faulty.client.get(reference) or {})["spec"]["date"]
    change(faulty, spaces["replaced"], {"date": OVER[1 - OVER.index(day)]})


def change(faulty: Scene, namespace: str, spec: dict[str, object]) -> None:
    """Change the object of a namespace."""
    faulty.client.patch(Reference(API_VERSION, KIND, namespace, "rate"), {"spec": spec})


def total_passes(faulty: Scene) -> float:
    """Count the passes that have ended, however."""
    lines = faulty.operator.get("/metrics").splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("exchangerates_reconciles_total{"))
