"""Scraping, alerts and dashboard: that they are there, that they fit what the operator tells, and that alerts fire."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.infra.conftest import Program, of_kind

from exchangerates.metrics import Metrics
from exchangerates_infra.project import ROOT
from exchangerates_infra.recorder import Recording

CASES = Path(__file__).with_name("alert_cases.yaml")
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not on PATH; Debian has it in `prometheus`")


@pytest.fixture
def monitored(program: Program) -> Recording:
    """A stack with monitoring, in a namespace of another name."""
    return program(namespace="rates", monitoring='{"enabled": true, "labels": {"release": "prometheus"}}')


def rules(recording: Recording) -> list[dict[str, Any]]:
    """Give the alerts of a stack."""
    (found,) = of_kind(recording, "PrometheusRule")
    return [rule for group in found.inputs["spec"]["groups"] for rule in group["rules"]]


def dashboard(recording: Recording) -> dict[str, Any]:
    """Give the dashboard of a stack."""
    (found,) = of_kind(recording, "ConfigMap")
    (text,) = found.inputs["data"].values()
    body: dict[str, Any] = json.loads(text)
    return body


def test_without_the_switch_there_is_nothing_of_it(program: Program) -> None:
    """A cluster without the Prometheus Operator knows none of its kinds."""
    kinds = {manifest["kind"] for manifest in program().manifests()}
    assert not kinds & {"ServiceMonitor", "PrometheusRule", "ConfigMap"}


def test_prometheus_finds_the_metrics(monitored: Recording) -> None:
    """The ServiceMonitor selects the stack's Service and names its port; Prometheus selects by the stack's labels."""
    (monitor,) = of_kind(monitored, "ServiceMonitor")
    (service,) = of_kind(monitored, "Service")
    assert monitor.inputs["spec"]["selector"]["matchLabels"].items() <= service.inputs["metadata"]["labels"].items()
    (endpoint,) = monitor.inputs["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == (service.inputs["spec"]["ports"][0]["name"], "/metrics")
    for found in (monitor, *of_kind(monitored, "PrometheusRule")):
        assert found.inputs["metadata"]["labels"] == {"release": "prometheus"}
        assert found.inputs["metadata"]["namespace"] == "rates"


def test_grafana_finds_the_dashboard(program: Program, monitored: Recording) -> None:
    """By the label that its sidecar looks for unless the stack says otherwise."""
    (found,) = of_kind(monitored, "ConfigMap")
    assert found.inputs["metadata"]["labels"] == {"grafana_dashboard": "1"}
    (other,) = of_kind(program(monitoring='{"enabled": true, "dashboardLabels": {"grafana": "x"}}'), "ConfigMap")
    assert other.inputs["metadata"]["labels"] == {"grafana": "x"}
    panels = dashboard(monitored)["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len({panel["id"] for panel in panels}) == len(panels)


def test_each_stack_has_a_dashboard_of_its_own(program: Program) -> None:
    """Grafana's sidecar writes all into one directory, and knows each by a uid of at most 40 characters."""
    namespaces = ("rates", "n" * 63)
    found = [program(namespace=namespace, monitoring='{"enabled": true}') for namespace in namespaces]
    files = [of_kind(recording, "ConfigMap")[0].inputs["data"] for recording in found]
    assert len({file for data in files for file in data}) == len(namespaces)
    bodies = [dashboard(recording) for recording in found]
    assert len({body["uid"] for body in bodies}) == len(namespaces)
    for namespace, body in zip(namespaces, bodies, strict=True):
        assert len(body["uid"]) <= 40
        assert namespace in body["title"]
        (variable,) = [one for one in body["templating"]["list"] if one["name"] == "namespace"]
        assert variable["current"]["value"] == [namespace]


def test_a_stack_may_have_no_dashboard(program: Program) -> None:
    """Without a label no sidecar would find it."""
    recording = program(monitoring='{"enabled": true, "dashboardLabels": {}}')
    assert of_kind(recording, "ConfigMap") == []
    assert len(of_kind(recording, "PrometheusRule")) == 1


def test_alerts_and_dashboard_use_metrics_that_the_operator_has(monitored: Recording) -> None:
    """No expression asks for a series that nobody exposes."""
    known = {metric.name for metric in Metrics(["ecb"])._registry.collect()}  # noqa: SLF001 - what it exposes
    for metric in list(known):
        known |= {f"{metric}_total", f"{metric}_bucket"}
    expressions = [rule["expr"] for rule in rules(monitored)]
    expressions += [target["expr"] for panel in dashboard(monitored)["panels"] for target in panel["targets"]]
    used = {name for expr in expressions for name in re.findall(r"\b(?:exchangerates|process)_[a-z_]+", expr)}
    assert used - known == set()
    own = {name.removesuffix("_bucket") for name in used}
    assert {f"exchangerates_{name}" for name in ("objects", "queue_length", "scheduler_lag_seconds")} <= own


def test_each_stack_is_told_about_its_own_operator(monitored: Recording) -> None:
    """Two stacks on one cluster: neither's alerts select the other's series."""
    for rule in rules(monitored):
        selectors = re.findall(r"\{([^{}]*)\}", rule["expr"])
        assert selectors
        assert all('namespace="rates"' in selector for selector in selectors), rule["alert"]


def test_every_alert_has_a_runbook_section(program: Program, monitored: Recording) -> None:
    """Each says how urgent it is and leads to its section; no section is left over."""
    sections = re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert sections == [rule["alert"] for rule in rules(monitored)]
    for rule in rules(program(monitoring='{"enabled": true, "runbookUrl": "https://wiki.example.com/runbook"}')):
        address = f"https://wiki.example.com/runbook#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook_url"] == address
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"warning", "critical"}


def promtool(*arguments: str, cwd: Path) -> str:
    """Run promtool and give its output; it must succeed."""
    assert PROMTOOL
    ended = subprocess.run([PROMTOOL, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@needs_promtool
def test_prometheus_accepts_the_rules(monitored: Recording, tmp_path: Path) -> None:
    """`promtool check rules` finds all of them valid."""
    (found,) = of_kind(monitored, "PrometheusRule")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(dict(found.inputs["spec"])))
    assert f"{len(rules(monitored))} rules found" in promtool("check", "rules", "rules.yaml", cwd=tmp_path)


@needs_promtool
def test_alerts_fire_when_they_should_and_only_then(monitored: Recording, tmp_path: Path) -> None:
    """`promtool test rules`: each alert has a case where it fires and one where it is quiet."""
    (found,) = of_kind(monitored, "PrometheusRule")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(dict(found.inputs["spec"])))
    shutil.copy(CASES, tmp_path)
    assert "SUCCESS" in promtool("test", "rules", CASES.name, cwd=tmp_path)


def test_every_alert_has_cases(monitored: Recording) -> None:
    """No alert goes untested."""
    cases = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    fires = {case["alertname"] for case in cases if case.get("exp_alerts")}
    quiet = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert fires == quiet == {rule["alert"] for rule in rules(monitored)}
