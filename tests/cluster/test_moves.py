"""Moves that are too small to be published, and those that are too large."""

import datetime as dt

import pytest
from tests.cluster.operator_process import StartOperator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, APPROVE_ANNOTATION, KIND, REFRESH_ANNOTATION
from localcluster.client import Client, Reference
from localcluster.errors import ApiError
from localcluster.rateserver import RateServer


def annotate(client: Client, namespace: Namespace, name: str, key: str, value: str) -> None:
    """Set an annotation, as `kubectl annotate --overwrite` does."""
    client.patch(Reference(API_VERSION, KIND, namespace.name, name), {"metadata": {"annotations": {key: value}}})


def test_a_spike_is_held_until_it_is_approved_and_small_moves_are_not_published(
    start_operator: StartOperator, namespace: Namespace, client: Client, rates: RateServer
) -> None:
    """The held rate is in the status over a restart; the approval is the very value."""
    operator = start_operator(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1s,ecb=1s")
    namespace.rate("wary", maxChangePercent="5", provider="frankfurter")
    namespace.rate("quiet", minChangePercent="0.5", provider="frankfurter")
    for name in ("wary", "quiet"):
        namespace.wait(name)
    rates.replay(dt.date(2026, 10, 30), dated=dt.date(2026, 11, 2))
    rates.set_rate("USD", "1.1175")
    eventually(
        lambda: _asked(client, namespace, "wary") and namespace.data("wary")["rate"] == "1.1175", "it is published"
    )
    eventually(
        lambda: _asked(client, namespace, "quiet") and "lastRefresh" in namespace.get("quiet")["status"], "a look"
    )
    assert (namespace.data("quiet")["rate"], namespace.data("quiet")["date"]) == ("1.1172", "2026-10-30")

    rates.set_rate("USD", "11.175")
    eventually(lambda: _asked(client, namespace, "wary") == "SpikeHeld", "it is held back")
    assert namespace.ready("wary") == ("True", "SpikeHeld")
    operator.stop()
    operator.start(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1h")
    held = namespace.get("wary")["status"]["held"]
    assert (held["approval"], held["rates"][0]["rate"]) == ("11.175", "11.175")
    annotate(client, namespace, "wary", APPROVE_ANNOTATION, "11.17")
    eventually(lambda: "approve=11.17 approves nothing" in _message(namespace, "wary"), "it has looked")
    assert (namespace.ready("wary")[1], namespace.data("wary")["rate"]) == ("SpikeHeld", "1.1175")
    annotate(client, namespace, "wary", APPROVE_ANNOTATION, "11.175")
    namespace.wait("wary")
    assert namespace.data("wary")["rate"] == "11.175"
    assert "held" not in namespace.get("wary")["status"]


def _asked(client: Client, namespace: Namespace, name: str) -> str:
    """Ask for a refresh and give the reason of Ready."""
    annotate(client, namespace, name, REFRESH_ANNOTATION, str(dt.datetime.now(dt.UTC)))
    return namespace.ready(name)[1]


def _message(namespace: Namespace, name: str) -> str:
    """Give the message of Ready."""
    conditions = namespace.get(name)["status"]["conditions"]
    return next(str(found["message"]) for found in conditions if found["type"] == "Ready")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param({"minChangePercent": "0"}, 'such as \\"0.5\\" for half a percent', id="zero"),
        pytest.param({"minChangePercent": "1e1"}, 'such as \\"0.5\\" for half a percent', id="an exponent"),
        pytest.param({"maxChangePercent": "1001"}, 'such as \\"5\\" for five percent', id="too much"),
        pytest.param({"maxChangePercent": 5}, "must be of type string", id="no text"),
        pytest.param(
            {"minChangePercent": "5", "maxChangePercent": "5.0"}, "must be less than maxChangePercent", id="crossed"
        ),
    ],
)
def test_a_percentage_that_cannot_be_is_refused(namespace: Namespace, spec: dict[str, object], told: str) -> None:
    """With what to write."""
    with pytest.raises(ApiError) as caught:
        namespace.rate(**spec)
    assert told.replace("\\", "") in caught.value.message.replace("\\", "")


def test_percentages_that_can_be_are_accepted(namespace: Namespace) -> None:
    """Alone and together."""
    namespace.rate("both", minChangePercent="0.000001", maxChangePercent="1000")
    namespace.rate("one", maxChangePercent="12.5")
