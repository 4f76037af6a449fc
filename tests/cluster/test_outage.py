"""An outage of all rate providers, as the objects' owners see it: nothing, until their rates are too old."""

import datetime as dt
from collections.abc import Callable

from tests.cluster.audit import Audit
from tests.cluster.operator_process import Operator, StartOperator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from localcluster.rateserver import Fault, RateServer

OBJECTS = 200
STALE_AFTER_S = 150
"""From the test's start: time for two hundred objects, for a look for a newer quote by each, and for a restart."""
WITHIN_S = 240.0


def test_an_outage_is_written_once_per_object_and_only_when_rates_are_too_old(
    start_operator: StartOperator, namespace: Namespace, rates: RateServer, audit: Callable[[], Audit]
) -> None:
    """None while every look fails, over a restart too; at `maxAge` one status and one event each; in the end too."""
    now = dt.datetime.now(dt.UTC)
    yesterday = now.date() - dt.timedelta(days=1)
    rates.replay(dt.date(2026, 10, 30), dated=yesterday)
    midnight = dt.datetime.combine(yesterday, dt.time(), dt.UTC)
    max_age = f"{int((now - midnight).total_seconds()) + STALE_AFTER_S}s"
    operator = start_operator()
    names = [f"rate-{number}" for number in range(OBJECTS)]
    for name in names:
        namespace.rate(name, refreshInterval="1m", maxAge=max_age)
    for name in names:
        namespace.wait(name)
    log, passes = audit(), operator.passes("Published")
    rates.fail("frankfurter", Fault.HTTP_500)
    rates.fail("ecb", Fault.HTTP_503)
    eventually(lambda: operator.passes("Published") >= passes + OBJECTS, "all have looked again", WITHIN_S)
    operator.stop()
    start_operator()
    eventually(lambda: looks(operator) >= OBJECTS, "and again after a restart, without a table", WITHIN_S)
    assert log.writes() == []

    eventually(lambda: count(log, "/status") >= OBJECTS, "all are told", WITHIN_S)
    for name in names:
        namespace.wait(name, reason="RateTooOld")
    assert (count(log, "/status"), count(log, "/events"), len(log.writes())) == (OBJECTS, OBJECTS, 2 * OBJECTS)
    assert namespace.data(names[0])["rate"] == "1.1172"

    log = audit()
    rates.replay(dt.date(2026, 10, 30), dated=now.date())
    rates.heal()
    for name in names:
        namespace.wait(name, within_s=WITHIN_S)
    assert (count(log, "/status"), count(log, "/events"), len(log.writes())) == (OBJECTS, OBJECTS, 3 * OBJECTS)


def count(log: Audit, part: str) -> int:
    """Count the writes whose path has a part."""
    return sum(part in write for write in log.writes())


def looks(operator: Operator) -> float:
    """Count the passes that have ended, well or not."""
    return operator.passes("Published") + operator.passes("ProviderUnavailable")
