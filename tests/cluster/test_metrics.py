"""What an on-call person sees, through the eyes of a real Prometheus."""

import itertools
import math
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.operator_process import Operator, StartOperator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually
from tests.pictures.panels import LABELS, panels
from tests.prometheus import INSTALL, MISSING, Prometheus, prometheus

from exchangerates.api import PLURAL, REFRESH_ANNOTATION
from localcluster.client import Client, Reference
from localcluster.processes import wait_until
from localcluster.rateserver import Fault, RateServer

pytestmark = pytest.mark.skipif(bool(MISSING), reason=INSTALL)


@pytest.fixture
def operator(start_operator: StartOperator) -> Operator:
    """An operator that asks a failing provider quickly again."""
    return start_operator(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1s,ecb=1s")


@pytest.fixture
def scraping(operator: Operator, tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the operator every second, with the labels that the ServiceMonitor gives."""
    labels = {"namespace": LABELS["namespace"]}
    targets = [{"targets": [operator.address()], "labels": labels}]
    with prometheus(tmp_path, {"job_name": LABELS["job"], "static_configs": targets}) as running:
        eventually(lambda: set(running.values("up").values()) == {1.0}, "the operator is scraped")
        yield running


WISHES = itertools.count()


def test_the_metrics_are_clean_and_documented(operator: Operator) -> None:
    """By Prometheus' own linter: names, units, types and help texts."""
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=operator.get("/metrics"), capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_prometheus_sees_objects_fetches_and_failures(
    scraping: Prometheus, namespace: Namespace, client: Client, rates: RateServer
) -> None:
    """By reason and by provider; a gauge's series go with the objects that they count."""
    query = scraping.values
    good = namespace.rate("good")
    unknown = namespace.rate("unknown", currency="XXX")
    eventually(lambda: query("exchangerates_objects").get("ready=true,reason=Published") == 1.0, "one is published")
    eventually(lambda: query("exchangerates_objects").get("ready=false,reason=CurrencyNotSupported") == 1.0, "one not")
    eventually(lambda: query("exchangerates_reconciles_total").get("reason=CurrencyNotSupported", 0) >= 1, "counted")
    fetches = query("exchangerates_provider_fetches_total")
    assert fetches["outcome=success,provider=frankfurter"] >= 1.0
    assert fetches["outcome=failure,provider=frankfurter"] == 0.0
    namespace.rate("dated", provider="ecb", date="2024-06-28")
    namespace.wait("dated")
    eventually(lambda: query("exchangerates_objects").get("ready=true,reason=Published") == 2.0, "both are counted")
    ages = {"provider=frankfurter": 1793318400.0, "provider=ecb": 1793318400.0}
    assert query("exchangerates_provider_quote_timestamp_seconds") == ages, "a day that is over makes no quote older"
    assert query("exchangerates_provider_fetch_duration_seconds_count")["provider=ecb"] >= 1.0
    assert query("exchangerates_watch_restarts_total") == {"resource=configmaps": 0.0, f"resource={PLURAL}": 0.0}
    assert query("exchangerates_queue_length") == {"": 0.0}
    assert query("exchangerates_scheduler_lag_seconds")[""] < 60.0
    assert query("process_resident_memory_bytes")[""] > 10e6

    client.delete(unknown)
    eventually(
        lambda: "ready=false,reason=CurrencyNotSupported" not in query("exchangerates_objects"), "its series is gone"
    )
    rates.fail("frankfurter", Fault.HTTP_500)
    failures = "outcome=failure,provider=frankfurter"

    def failed() -> bool:
        wish(client, good)
        return query("exchangerates_provider_fetches_total").get(failures, 0) >= 1.0

    assert wait_until(failed, 90.0, poll_s=1.0), "a failure is counted"


def wish(client: Client, rate: Reference) -> None:
    """Wish for a newer quote; a rate provider is asked when its least interval is over."""
    client.patch(rate, {"metadata": {"annotations": {REFRESH_ANNOTATION: str(next(WISHES))}}})


def test_every_panel_of_the_dashboard_answers(
    scraping: Prometheus, namespace: Namespace, client: Client, rates: RateServer
) -> None:
    """A number is there also while it is zero; a fault shows under the names of what failed."""
    found = {panel.title: panel for panel in panels()}

    def shown(title: str) -> dict[str, float]:
        panel = found[title]
        answers = scraping.ask(panel.expression)
        return {panel.name(series.labels): series.points[0][1] for series in answers}

    good = namespace.rate("good")
    namespace.wait("good")
    eventually(lambda: shown("ExchangeRates by reason") == {"Published": 1.0}, "the object is counted")
    assert shown("ExchangeRates that are not ready") == {"": 0.0}
    assert shown("Operators up") == {"": 1.0}

    rates.fail("frankfurter", Fault.HTTP_500)
    namespace.rate("unknown", currency="XXX")

    def failed() -> bool:
        wish(client, good)
        return shown("Calls to rate providers, per day").get("frankfurter failure", 0.0) > 0.0

    eventually(lambda: shown("ExchangeRates that are not ready") == {"": 1.0}, "one is not ready")
    assert wait_until(failed, 90.0, poll_s=1.0), "it failed"
    eventually(lambda: shown("Passes, per second").get("Published", 0.0) > 0.0, "passes are counted")
    ages = shown("Age of the newest quoted day")
    assert ages.keys() == {"frankfurter", "ecb"}
    empty = {title for title in found if not any(math.isfinite(value) for value in shown(title).values())}
    assert empty == set()
