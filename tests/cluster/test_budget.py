"""A rate provider's budget of calls."""

import datetime as dt
import functools

from tests.cluster.operator_process import OPERATOR_NAMESPACE, StartOperator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, KIND, REFRESH_ANNOTATION
from exchangerates_infra.project import OPERATOR
from localcluster.client import Client, Reference
from localcluster.rateserver import Fault, RateServer


def announced(client: Client, text: str) -> list[tuple[str, str]]:
    """Give type and reason of the events of a text that `kubectl describe` shows: it asks for those of the uid."""
    deployment = client.get(Reference("apps/v1", "Deployment", OPERATOR_NAMESPACE, OPERATOR))
    assert deployment is not None
    metadata = {"namespace": OPERATOR_NAMESPACE, "name": OPERATOR, "uid": deployment["metadata"]["uid"]}
    about = {"kind": "Deployment", **metadata}
    selector = ",".join(f"involvedObject.{field}={value}" for field, value in about.items())
    path = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/events"
    found = client.request("GET", path, params={"fieldSelector": selector})["items"]
    return [(event["type"], event["reason"]) for event in found if event["message"].startswith(text)]


def test_calls_go_on_while_there_are_some_left(
    start_operator: StartOperator, namespace: Namespace, client: Client, rates: RateServer
) -> None:
    """A rate with a budget follows its provider, after a restart too."""
    environment = {
        "EXCHANGERATES_MIN_FETCH_INTERVALS": "ecb=1s",
        "EXCHANGERATES_MAX_CALLS_PER_DAY": "ecb=43200",
    }
    operator = start_operator(**environment)
    namespace.rate(provider="ecb")
    namespace.wait()
    reference = Reference(API_VERSION, KIND, namespace.name, "exchange-rate-usd")

    def followed(rate: str) -> bool:
        wish = str(dt.datetime.now(dt.UTC))
        client.patch(reference, {"metadata": {"annotations": {REFRESH_ANNOTATION: wish}}})
        return namespace.data()["rate"] == rate

    for rate in ("1.1173", "1.1174"):
        rates.set_rate("USD", rate)
        eventually(functools.partial(followed, rate), f"{rate} is published")
        operator.stop()
        operator.start(**environment)


def test_no_wish_is_worth_more_than_the_days_calls(
    start_operator: StartOperator, namespace: Namespace, client: Client, rates: RateServer
) -> None:
    """The metrics and the log say that objects want more; one without any rate says why."""
    operator = start_operator(
        EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1s,ecb=1s", EXCHANGERATES_MAX_CALLS_PER_DAY="frankfurter=2,ecb=1"
    )
    namespace.rate(provider="frankfurter")
    namespace.wait()
    reference = Reference(API_VERSION, KIND, namespace.name, "exchange-rate-usd")
    lengthened = 'exchangerates_provider_interval_lengthened{provider="frankfurter"} 1.0'

    def asked_in_vain() -> bool:
        wish = str(dt.datetime.now(dt.UTC))
        client.patch(reference, {"metadata": {"annotations": {REFRESH_ANNOTATION: wish}}})
        return lengthened in operator.get("/metrics")

    eventually(asked_in_vain, "the metric says so")
    assert 'exchangerates_provider_calls_per_day{provider="frankfurter",state="left"} 1.0' in operator.get("/metrics")
    assert "want more than maxCallsPerDay" in operator.process.log.read_text()
    told = "rate provider frankfurter: its objects want more than maxCallsPerDay (2); "
    eventually(lambda: announced(client, told) == [("Warning", "IntervalLengthened")], "the Deployment has one event")
    rates.fail("ecb", Fault.HTTP_500)
    namespace.rate("without", provider="ecb")
    namespace.wait("without", "ProviderUnavailable")
    namespace.rate("later", provider="ecb")
    namespace.wait("later", "ProviderUnavailable")
    assert rates.calls == {"frankfurter": 1, "ecb": 1}
