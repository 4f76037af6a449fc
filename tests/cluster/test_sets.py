"""Several rates in one ConfigMap."""

import json

import pytest
from tests.cluster.operator_process import Operator
from tests.cluster.user import Namespace

from exchangerates.api import API_VERSION, PLURAL
from localcluster.client import Client
from localcluster.errors import ApiError


def test_a_set_is_published_in_one_config_map(operator: Operator, namespace: Namespace) -> None:
    """With a key per currency; a single rate that becomes a set loses the single rate's keys."""
    assert operator.process.pid
    namespace.rate("set", currency=None, currencies=["USD", "JPY", "EUR"], base="USD")
    namespace.rate("single")
    namespace.wait("set")
    namespace.wait("single")
    data = namespace.data("set")
    assert (data["USD"], data["JPY"], data["EUR"]) == ("1", "157.2502685", "0.8950948801")
    assert (data["currencies"], data["base"], data["derived"]) == ("USD,JPY,EUR", "USD", "true")
    assert json.loads(data["quote"])["rates"]["JPY"]["rate"] == "157.2502685"
    assert data.keys().isdisjoint({"rate", "currency"})
    namespace.change("single", currency=None, currencies=["GBP"])
    namespace.wait("single")
    assert namespace.data("single")["GBP"] == "0.8338"
    assert namespace.data("single").keys().isdisjoint({"rate", "currency"})


def test_one_missing_currency_publishes_nothing(operator: Operator, namespace: Namespace) -> None:
    """Rather than half a set."""
    assert operator.process.pid
    namespace.rate("set", currency=None, currencies=["USD", "XXX"])
    namespace.wait("set", "CurrencyNotSupported")
    assert namespace.config_map("set") is None


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param({"currencies": ["GBP"]}, "needs exactly one of currency", id="both"),
        pytest.param({"currency": None}, "needs exactly one of currency", id="none"),
        pytest.param({"currency": None, "currencies": []}, "should have at least 1 items", id="empty"),
        pytest.param({"currency": None, "currencies": ["USD", "USD"]}, "Duplicate value", id="twice"),
        pytest.param({"currency": None, "currencies": ["usd"]}, "must be three capital letters", id="small letters"),
        pytest.param({"currency": None, "currencies": ["USD"], "target": {"key": "x"}}, "must be left out", id="a key"),
    ],
)
def test_a_set_that_cannot_be_is_refused(namespace: Namespace, spec: dict[str, object], told: str) -> None:
    """With what to write."""
    with pytest.raises(ApiError, match=told):
        namespace.rate(**spec)


def test_kubectls_columns_show_what_is_published(client: Client, operator: Operator, namespace: Namespace) -> None:
    """A rate with its currency; for a set all of its currencies, and no rate, for one alone would mislead."""
    assert operator.process.pid
    namespace.rate("a")
    sets = {"b": ["USD"], "c": ["USD", "JPY"], "d": ["USD", "JPY", "GBP"]}
    for name, currencies in sets.items():
        namespace.rate(name, currency=None, currencies=currencies)
    for name in ("a", *sets):
        namespace.wait(name)
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    table = client.request("GET", f"/apis/{API_VERSION}/namespaces/{namespace.name}/{PLURAL}", accept=accept)
    columns = [found["name"] for found in table["columnDefinitions"]]
    rows = [dict(zip(columns, row["cells"], strict=True)) for row in table["rows"]]
    assert [(row["Name"], row["Currency"], row["Rate"]) for row in rows] == [
        ("a", "USD", "1.1172"),
        ("b", '["USD"]', "1.1172"),
        ("c", '["USD","JPY"]', None),
        ("d", '["USD","JPY","GBP"]', None),
    ]
