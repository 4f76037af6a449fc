"""What an on-call person sees, through the eyes of a real Prometheus."""

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.cluster.conftest import Namespace, Operator, StartOperator, eventually

from exchangerates.api import PLURAL, REFRESH_ANNOTATION
from localcluster.client import Client
from localcluster.processes import Process
from localcluster.rateserver import Fault, RateServer

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus and promtool are not on PATH (on Debian and Ubuntu: apt-get install prometheus)",
)

Query = Callable[[str], dict[str, float]]


@pytest.fixture
def operator(start_operator: StartOperator) -> Operator:
    """An operator that asks a failing provider quickly again."""
    return start_operator(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1s,ecb=1s")


@pytest.fixture
def query(operator: Operator, tmp_path: Path) -> Iterator[Query]:
    """Ask a Prometheus that scrapes the operator every second; give values by their labels, as JSON."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    scrape = {"job_name": "operator", "static_configs": [{"targets": [operator.address()]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    process = Process(tmp_path, "prometheus")
    process.start(
        [
            "prometheus",
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
    )

    def ask(expression: str) -> dict[str, float]:
        try:
            with requests.Session() as session:
                session.trust_env = False
                url = f"http://127.0.0.1:{port}/api/v1/query"
                answer: dict[str, Any] = session.get(url, params={"query": expression}, timeout=5.0).json()
        except (requests.RequestException, ValueError):
            return {}
        found = answer.get("data", {}).get("result", ())
        return {labels(result["metric"]): float(result["value"][1]) for result in found}

    eventually(lambda: ask("up") and set(ask("up").values()) == {1.0}, "the operator is scraped")
    yield ask
    process.stop()


def labels(metric: dict[str, str]) -> str:
    """Give a series' own labels as text."""
    return ",".join(f"{k}={v}" for k, v in sorted(metric.items()) if k not in {"__name__", "instance", "job"})


def test_the_metrics_are_clean_and_documented(operator: Operator) -> None:
    """By Prometheus' own linter: names, units, types and help texts."""
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=operator.get("/metrics"), capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_prometheus_sees_objects_fetches_and_failures(
    query: Query, namespace: Namespace, client: Client, rates: RateServer
) -> None:
    """By reason and by provider; a gauge's series go with the objects that they count."""
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
    client.patch(good, {"metadata": {"annotations": {REFRESH_ANNOTATION: "now"}}})
    failures = "outcome=failure,provider=frankfurter"
    eventually(lambda: query("exchangerates_provider_fetches_total").get(failures, 0) >= 1.0, "a failure is counted")
