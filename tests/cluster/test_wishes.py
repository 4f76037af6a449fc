"""What a user can ask for beside a currency: a refresh now, a pause, another key, labels and annotations."""

import time
from collections.abc import Callable

import pytest
from tests.cluster.audit import Audit
from tests.cluster.operator_process import Operator, StartOperator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, KIND, REFRESH_ANNOTATION
from localcluster.client import Client, Reference
from localcluster.errors import ApiError
from localcluster.rateserver import Fault, RateServer

NAME = "exchange-rate-usd"


def ask(client: Client, namespace: Namespace, value: str) -> None:
    """Ask for a refresh, as `kubectl annotate --overwrite` does."""
    reference = Reference(API_VERSION, KIND, namespace.name, NAME)
    client.patch(reference, {"metadata": {"annotations": {REFRESH_ANNOTATION: value}}})


def answered(namespace: Namespace) -> str:
    """Give the last request that the status acknowledges."""
    return str(namespace.get(NAME)["status"].get("lastRefresh", {}).get("request"))


def test_a_refresh_on_demand_brings_a_new_rate_and_is_acknowledged(
    start_operator: StartOperator, namespace: Namespace, client: Client, rates: RateServer
) -> None:
    """With the value that asked for it and the time, long before the object's own interval."""
    start_operator(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1s")
    namespace.rate(refreshInterval="720h")
    namespace.rate("another", refreshInterval="720h")
    namespace.wait()
    namespace.wait("another")
    rates.set_rate("USD", "1.1999")
    eventually(lambda: time.monotonic() > rates.times["frankfurter"][-1] + 2.0, "the least interval has passed")
    ask(client, namespace, "please")
    eventually(lambda: answered(namespace) == "please", "it is acknowledged")
    assert namespace.get(NAME)["status"]["lastRefresh"]["time"].endswith("Z")
    assert namespace.data()["rate"] == "1.1999"
    assert namespace.data("another")["rate"] == "1.1172"


def test_a_hundred_requests_make_no_call_within_the_least_fetch_interval(
    start_operator: StartOperator, namespace: Namespace, client: Client, rates: RateServer, audit: Callable[[], Audit]
) -> None:
    """They look at the shared table again; what each costs is its acknowledgement."""
    start_operator(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1h")
    namespace.rate(refreshInterval="1m")
    namespace.wait()
    log = audit()
    for number in range(100):
        ask(client, namespace, f"request-{number}")
    eventually(lambda: answered(namespace) == "request-99", "the last one is acknowledged")
    assert rates.calls == {"frankfurter": 1}
    assert all("/status" in write for write in log.writes())
    assert len(log.writes()) <= 100


def test_requests_cost_no_call_while_a_provider_fails(
    start_operator: StartOperator, namespace: Namespace, client: Client, rates: RateServer
) -> None:
    """A published rate is good to go on with: the failing provider is left alone, and the request is acknowledged."""
    start_operator(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1s,ecb=1h")
    namespace.rate(provider="frankfurter", refreshInterval="720h")
    namespace.wait()
    rates.fail("frankfurter", Fault.HTTP_429_RETRY_AFTER)
    ask(client, namespace, "first")
    eventually(lambda: answered(namespace) == "first", "it is acknowledged")
    failed = rates.calls["frankfurter"]
    for number in range(20):
        ask(client, namespace, f"request-{number}")
        eventually(lambda value=f"request-{number}": answered(namespace) == value, "it is acknowledged")  # type: ignore[misc] # bound now
    assert rates.calls["frankfurter"] <= failed + 1
    assert namespace.ready() == ("True", "Published")


def test_a_long_request_is_acknowledged_by_its_beginning(
    operator: Operator, namespace: Namespace, client: Client
) -> None:
    """An annotation may be far longer than a status should be."""
    assert operator.process.pid
    namespace.rate()
    namespace.wait()
    ask(client, namespace, "x" * 100)
    eventually(lambda: answered(namespace).startswith("x" * 40), "it is acknowledged")
    assert len(answered(namespace)) == 64


def test_a_suspended_object_is_left_as_it_is(
    operator: Operator, namespace: Namespace, client: Client, audit: Callable[[], Audit]
) -> None:
    """Neither repaired nor changed, and it says so; what was asked for meanwhile is done when it is resumed."""
    assert operator.process.pid
    namespace.rate()
    namespace.wait()
    namespace.change(NAME, suspend=True)
    namespace.wait(reason="Suspended")
    assert namespace.ready()[0] == "False"
    log = audit()
    client.patch(Reference("v1", "ConfigMap", namespace.name, NAME), {"data": {"rate": "mine"}})
    ask(client, namespace, "while suspended")
    namespace.rate("after")
    namespace.wait("after")
    assert [write for write in log.writes() if f"/{NAME}" in write] == []
    assert namespace.data()["rate"] == "mine"
    namespace.change(NAME, suspend=False)
    namespace.wait()
    assert namespace.data()["rate"] == "1.1172"
    eventually(lambda: answered(namespace) == "while suspended", "the request is done")


def test_another_key_labels_and_annotations_are_the_users(
    operator: Operator, namespace: Namespace, client: Client
) -> None:
    """They come, change and go with the spec; what others set on the ConfigMap stays."""
    assert operator.process.pid
    labels, annotations = {"team": "shop", "tier": "one"}, {"example.com/reload": "true"}
    namespace.rate(target={"key": "USD_RATE", "labels": labels, "annotations": annotations})
    namespace.wait()
    assert namespace.data()["USD_RATE"] == "1.1172"
    assert "rate" not in namespace.data()
    own = {"app.kubernetes.io/managed-by": "exchange-rate-operator"}
    made = (namespace.config_map() or {})["metadata"]
    assert (made["labels"], made["annotations"]) == ({**labels, **own}, annotations)
    theirs = {"labels": {"theirs": "x"}, "annotations": {"theirs": "x"}}
    client.patch(Reference("v1", "ConfigMap", namespace.name, NAME), {"metadata": theirs})
    namespace.change(NAME, target={"key": None, "labels": {"tier": "two", "team": None}, "annotations": None})
    namespace.wait()
    after = namespace.config_map() or {}
    assert after["metadata"]["labels"] == {"tier": "two", "theirs": "x", **own}
    assert after["metadata"]["annotations"] == {"theirs": "x"}
    assert after["data"]["rate"] == "1.1172"
    assert "USD_RATE" not in after["data"]
    assert after["metadata"]["uid"] == made["uid"]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        pytest.param({"a b": "x"}, "a b", id="a bad key"),
        pytest.param({"team": "not a value!"}, "not a value!", id="a bad value"),
    ],
)
def test_a_label_that_kubernetes_refuses_is_told(
    operator: Operator, namespace: Namespace, labels: dict[str, str], told: str
) -> None:
    """In the condition, with what to write."""
    assert operator.process.pid
    namespace.rate(target={"labels": labels})
    namespace.wait(reason="InvalidSpec")
    conditions = namespace.get(NAME)["status"]["conditions"]
    assert any(told in condition["message"] for condition in conditions)


def test_the_operators_own_keys_cannot_be_overwritten(operator: Operator, namespace: Namespace) -> None:
    """Neither the key of another part of the quote nor its own label, refused at the door."""
    assert operator.process.pid
    for target in ({"key": "base"}, {"labels": {"app.kubernetes.io/managed-by": "me"}}):
        with pytest.raises(ApiError, match=r"must be a ConfigMap key|the operator's own"):
            namespace.rate(target=target)
