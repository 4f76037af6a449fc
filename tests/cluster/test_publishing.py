"""What an application team sees: a ConfigMap with the rate, that follows its object."""

import json
from collections.abc import Callable

from tests.cluster.audit import Audit
from tests.cluster.operator_process import Operator, StartOperator
from tests.cluster.planted import KEY, REFUSED_KEY
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from localcluster.client import Client, Reference
from localcluster.rateserver import Fault, RateServer

COLLECTED_WITHIN_S = 90.0
"""Garbage collection looks for new kinds every half minute."""


def test_a_rate_is_published_in_a_config_map_that_the_object_owns(operator: Operator, namespace: Namespace) -> None:
    """The ECB's rate of 2026-10-30, to the digit, with where it is from."""
    assert operator.process.pid
    namespace.rate(currency="USD")
    namespace.wait()
    data = namespace.data()
    since, document = data.pop("publishedAt"), json.loads(data.pop("quote"))
    assert document == {**data, "derived": False, "publishedAt": since}
    assert data == {
        "derived": "false",
        "rate": "1.1172",
        "base": "EUR",
        "currency": "USD",
        "date": "2026-10-30",
        "provider": "frankfurter",
    }
    owner = namespace.get("exchange-rate-usd")
    (reference,) = (namespace.config_map() or {})["metadata"]["ownerReferences"]
    assert reference == {
        "apiVersion": "operators.brennerm.github.io/v1",
        "kind": "ExchangeRate",
        "name": "exchange-rate-usd",
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    (published,) = owner["status"]["rates"]
    assert published.pop("publishedAt").endswith("Z")
    assert published == {"currency": "USD", "rate": "1.1172", "date": "2026-10-30", "derived": False}
    assert owner["status"]["configMapName"] == "exchange-rate-usd"


def test_a_cross_rate_has_ten_significant_digits(operator: Operator, namespace: Namespace) -> None:
    """JPY for one USD is 175.68 / 1.1172 on that day."""
    assert operator.process.pid
    namespace.rate("exchange-rate-usd-jpy", base="USD", currency="JPY")
    namespace.wait("exchange-rate-usd-jpy")
    assert namespace.data("exchange-rate-usd-jpy")["rate"] == "157.2502685"
    assert namespace.get("exchange-rate-usd-jpy")["status"]["rates"][0]["derived"] is True


def test_a_changed_currency_changes_the_same_config_map(operator: Operator, namespace: Namespace) -> None:
    """The ConfigMap keeps its identity, and the status says which spec it is about."""
    assert operator.process.pid
    namespace.rate("money", currency="USD")
    namespace.wait("money")
    before = namespace.config_map("money") or {}
    namespace.change("money", currency="GBP")
    namespace.wait("money")
    after = namespace.config_map("money") or {}
    assert after["data"]["currency"] == "GBP"
    assert after["data"]["rate"] == "0.8338"
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert namespace.get("money")["status"]["observedGeneration"] == 2


def test_a_deleted_object_takes_its_config_map_along(operator: Operator, namespace: Namespace, client: Client) -> None:
    """Garbage collection follows the owner reference, and the operator does not put it back."""
    assert operator.process.pid
    reference = namespace.rate()
    namespace.wait()
    client.delete(reference)
    eventually(lambda: client.get(reference) is None, "the ExchangeRate is gone")
    eventually(lambda: namespace.config_map() is None, "the ConfigMap is gone", COLLECTED_WITHIN_S)


def test_a_deleted_config_map_is_put_back_without_a_fetch(
    operator: Operator, namespace: Namespace, client: Client, rates: RateServer
) -> None:
    """What was published is remembered in the status."""
    assert operator.process.pid
    namespace.rate()
    namespace.wait()
    before = (namespace.config_map() or {})["metadata"]["uid"]
    calls = rates.calls.total()
    client.delete(Reference("v1", "ConfigMap", namespace.name, "exchange-rate-usd"))
    eventually(lambda: namespace.data().get("rate") == "1.1172", "the ConfigMap is back")
    assert (namespace.config_map() or {})["metadata"]["uid"] != before
    assert rates.calls.total() == calls


def test_with_the_operator_gone_objects_and_namespaces_go_too(
    start_operator: StartOperator, namespace: Namespace, client: Client
) -> None:
    """Nothing waits for an operator that is not there: no object has a finalizer."""
    operator = start_operator()
    first, second = namespace.rate("first"), namespace.rate("second")
    namespace.wait("first")
    namespace.wait("second")
    operator.stop()
    client.delete(first)
    eventually(lambda: client.get(first) is None, "the ExchangeRate is gone")
    eventually(lambda: namespace.config_map("first") is None, "its ConfigMap is gone", COLLECTED_WITHIN_S)
    whole = Reference("v1", "Namespace", "", namespace.name)
    client.delete(whole)
    eventually(lambda: client.get(whole) is None, "the namespace is gone")
    assert client.get(second) is None


def test_a_strangers_config_map_stays_as_it_was(operator: Operator, namespace: Namespace, client: Client) -> None:
    """Byte for byte, its bookkeeping included; the object says who has its name."""
    assert operator.process.pid
    metadata = {"name": "exchange-rate-usd", "namespace": namespace.name, "labels": {"team": "shop"}}
    client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"rate": "mine"}})
    before = namespace.config_map()
    namespace.rate()
    namespace.wait(reason="TargetConflict")
    assert namespace.config_map() == before
    (ready,) = [c for c in namespace.get("exchange-rate-usd")["status"]["conditions"] if c["type"] == "Ready"]
    assert ready["status"] == "False"
    assert "ConfigMap exchange-rate-usd exists and belongs to somebody else" in ready["message"]
    client.delete(Reference("v1", "ConfigMap", namespace.name, "exchange-rate-usd"))
    namespace.change("exchange-rate-usd", maxAge="87600h")
    namespace.wait()


def test_a_currency_that_nobody_quotes_is_told_and_left_in_peace(
    operator: Operator, namespace: Namespace, rates: RateServer, audit: Callable[[], Audit]
) -> None:
    """One status and one event; while others come and go it costs nothing."""
    log = audit()
    namespace.rate("unknown", currency="XXX")
    namespace.wait("unknown", reason="CurrencyNotSupported")
    assert namespace.config_map("unknown") is None
    for number in range(20):
        namespace.rate(f"other-{number}")
        namespace.wait(f"other-{number}")
    assert operator.passes("CurrencyNotSupported") <= 3
    writes = [write for write in log.writes() if "/unknown" in write or "events" in write]
    assert len(writes) == 2, writes
    assert rates.calls == {"frankfurter": 1, "ecb": 1}


def test_a_provider_that_is_down_at_start_is_waited_for(
    rates: RateServer, start_operator: StartOperator, namespace: Namespace
) -> None:
    """Not Ready, with the reason; when the provider is back the rate comes by itself."""
    rates.fail("frankfurter", Fault.HTTP_500)
    rates.fail("ecb", Fault.RESET)
    start_operator()
    namespace.rate()
    namespace.wait(reason="ProviderUnavailable")
    assert namespace.config_map() is None
    rates.heal()
    namespace.wait(within_s=60.0)
    assert namespace.data()["rate"] == "1.1172"


def test_the_next_provider_of_the_chain_answers_for_one_that_is_down(
    rates: RateServer, start_operator: StartOperator, namespace: Namespace
) -> None:
    """The ConfigMap says who quoted it."""
    rates.fail("frankfurter", Fault.HTTP_503)
    start_operator()
    namespace.rate()
    namespace.wait()
    assert (namespace.data()["rate"], namespace.data()["provider"]) == ("1.1172", "ecb")


def test_a_provider_with_a_key_publishes_and_its_key_is_seen_nowhere(
    start_operator: StartOperator, namespace: Namespace, rates: RateServer
) -> None:
    """The right key serves exchangeratesapi; a pinned provider that is not enabled says so."""
    operator = start_operator(EXCHANGERATES_PROVIDERS="exchangeratesapi", EXCHANGERATES_EXCHANGERATESAPI_KEY=rates.key)
    namespace.rate("pinned", provider="exchangeratesapi")
    namespace.rate("elsewhere", provider="ecb")
    namespace.wait("pinned")
    namespace.wait("elsewhere", reason="ProviderNotEnabled")
    assert namespace.data("pinned")["provider"] == "exchangeratesapi"
    assert rates.key not in operator.process.log.read_text()


def test_a_refused_key_is_told_once_and_never_shown(
    start_operator: StartOperator, namespace: Namespace, rates: RateServer
) -> None:
    """Neither the condition nor the log holds the key, and the provider is not asked again soon."""
    operator = start_operator(
        EXCHANGERATES_PROVIDERS="exchangeratesapi", EXCHANGERATES_EXCHANGERATESAPI_KEY=REFUSED_KEY
    )
    namespace.rate()
    namespace.rate("another")
    namespace.wait(reason="ProviderRefused")
    namespace.wait("another", reason="ProviderRefused")
    assert rates.calls == {"exchangeratesapi": 1}
    shown = operator.process.log.read_text() + operator.get("/metrics") + str(namespace.get("exchange-rate-usd"))
    assert KEY not in shown


def test_the_operators_log_is_json_and_its_health_is_served(operator: Operator) -> None:
    """One document per line; /healthz, /readyz and /metrics answer."""
    lines = operator.process.log.read_text().splitlines()
    assert lines
    assert all({"message", "severity", "timestamp"} <= json.loads(line).keys() for line in lines)
    assert operator.get("/healthz") == "ok"
    assert operator.get("/readyz") == "ok"
    assert "exchangerates_objects" in operator.get("/metrics")
