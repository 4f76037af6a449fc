"""What a refresh and a restart cost: one call for all, and no write without a change."""

from collections.abc import Callable

from tests.cluster.audit import Audit
from tests.cluster.operator_process import StartOperator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from localcluster.rateserver import Fault, RateServer

REFRESHED_WITHIN_S = 120.0
"""The shortest interval is a minute, with its jitter; the rest is for a slow machine."""


def test_two_hundred_objects_cost_one_call_and_then_no_write(
    start_operator: StartOperator, namespace: Namespace, rates: RateServer, audit: Callable[[], Audit]
) -> None:
    """One upstream call serves all; a refresh that brings the same, and a restart, write nothing."""
    operator = start_operator()
    names = [f"rate-{number}" for number in range(200)]
    for number, name in enumerate(names):
        namespace.rate(name, currency=("USD", "JPY", "GBP", "CHF")[number % 4], refreshInterval="1m")
    for name in names:
        namespace.wait(name)
    assert rates.calls == {"frankfurter": 1}

    log = audit()
    eventually(lambda: operator.passes("Published") >= 2 * len(names), "all are refreshed", REFRESHED_WITHIN_S)
    assert log.writes() == []
    assert rates.calls == {"frankfurter": 2}

    operator.stop()
    log, calls = audit(), rates.calls.total()
    operator = start_operator()
    eventually(lambda: operator.passes("Published") >= len(names), "all are looked at after the restart")
    assert log.writes() == []
    assert rates.calls.total() <= calls + 1


def test_the_last_rate_stays_while_every_provider_is_down(
    start_operator: StartOperator, namespace: Namespace, rates: RateServer, audit: Callable[[], Audit]
) -> None:
    """A failed refresh changes neither ConfigMap nor condition, nor does a restart; a new rate comes by itself."""
    operator = start_operator()
    namespace.rate(refreshInterval="1m")
    namespace.wait()
    log = audit()
    rates.fail("frankfurter", Fault.HANG)
    rates.fail("ecb", Fault.HTTP_500)
    eventually(lambda: rates.calls["ecb"] > 0, "the refresh was tried", REFRESHED_WITHIN_S)
    eventually(lambda: operator.passes("Published") > 1, "the refresh is over")
    operator.stop()
    rates.fail("frankfurter", Fault.HTTP_503)
    calls = rates.calls["ecb"]
    operator = start_operator()
    eventually(lambda: rates.calls["ecb"] > calls, "the restarted operator has tried")
    eventually(lambda: operator.passes("Published") > 0, "and has kept what was published")
    assert namespace.ready() == ("True", "Published")
    assert namespace.data()["rate"] == "1.1172"
    assert log.writes() == []
    rates.set_rate("USD", "1.1999")
    rates.heal()
    eventually(lambda: namespace.data()["rate"] == "1.1999", "the new rate is published", REFRESHED_WITHIN_S)
