"""The rate of a day that is over."""

import pytest
from tests.cluster.operator_process import StartOperator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, KIND
from localcluster.client import Client, Reference
from localcluster.errors import ApiError
from localcluster.rateserver import RateServer


def test_a_past_days_rate_is_published_once_and_for_all(
    start_operator: StartOperator, namespace: Namespace, client: Client, rates: RateServer
) -> None:
    """From either provider, immutable where that is wanted, and put back by the rules of all ConfigMaps."""
    operator = start_operator()
    namespace.rate("frankfurter", date="2024-06-30", provider="frankfurter", target={"immutable": True})
    namespace.rate("ecb", date="2024-06-30", provider="ecb", currency=None, currencies=["USD", "KRW"])
    for name in ("frankfurter", "ecb"):
        namespace.wait(name)
        assert namespace.data(name)["date"] == "2024-06-28"
        assert namespace.get(name)["status"]["requestedDate"] == "2024-06-30"
    assert (namespace.data("frankfurter")["rate"], namespace.data("ecb")["KRW"]) == ("1.0705", "1474.86")
    made = namespace.config_map("frankfurter") or {}
    assert made["immutable"] is True
    client.delete(Reference("v1", "ConfigMap", namespace.name, "frankfurter"))
    eventually(lambda: namespace.data("frankfurter").get("rate") == "1.0705", "it is put back")
    operator.stop()
    operator.start()
    eventually(lambda: operator.passes("Published") >= 2, "both are looked at again")
    assert rates.calls == {"frankfurter": 1, "ecb": 1}
    client.delete(Reference(API_VERSION, KIND, namespace.name, "ecb"))
    namespace.rate("later", date="2024-06-30", provider="ecb")
    namespace.wait("later")
    assert rates.calls == {"frankfurter": 1, "ecb": 2}, "the restart has forgotten the table, which nobody else needed"


def test_thirty_days_cost_a_few_downloads(
    start_operator: StartOperator, namespace: Namespace, rates: RateServer
) -> None:
    """One answers all the days that wait for it."""
    names = [f"june-{day}" for day in range(1, 31)]
    for day, name in enumerate(names, 1):
        namespace.rate(name, date=f"2024-06-{day:02}", provider="ecb")
    start_operator()
    for name in names:
        namespace.wait(name)
    assert (namespace.data("june-9")["rate"], namespace.data("june-9")["date"]) == ("1.0898", "2024-06-07")
    assert namespace.data("june-30")["rate"] == "1.0705"
    assert rates.calls["ecb"] <= 3


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param({"date": "2024-13-01"}, "must be a day from 1999-01-04 on", id="a month that is not there"),
        pytest.param({"date": "1998-12-31"}, "must be a day from 1999-01-04 on", id="before all"),
        pytest.param({"date": "2024-06-28", "maxAge": "36h"}, "a rate of one day does not change", id="with maxAge"),
        pytest.param({"target": {"immutable": True}}, "must be left out without date", id="immutable"),
    ],
)
def test_a_day_that_cannot_be_is_refused(namespace: Namespace, spec: dict[str, object], told: str) -> None:
    """With what to write."""
    with pytest.raises(ApiError, match=told):
        namespace.rate(**spec)
