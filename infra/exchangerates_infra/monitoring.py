"""What the Prometheus Operator and Grafana take up: a ServiceMonitor, alerts and a dashboard.

Whether their kinds are in the cluster is the platform team's business: without them the update says that it does not
know the kind.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import pulumi
import yaml
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from exchangerates_infra.args import MonitoringArgs
from exchangerates_infra.project import OPERATOR
from exchangerates_infra.workload import LABELS, PORT_NAME

_API_VERSION: Final = "monitoring.coreos.com/v1"
_PLACEHOLDER: Final = 'namespace="exchange-rate-operator"'
"""In the rule file, which is valid as it is: the namespace that the stack's own takes the place of."""


def monitoring(name: str, namespace: str, args: MonitoringArgs, opts: pulumi.ResourceOptions) -> None:
    """Register the ServiceMonitor, the PrometheusRule and, where it has labels, the dashboard's ConfigMap."""
    endpoint = {"port": PORT_NAME, "path": "/metrics", "interval": args.scrape_interval}
    scrape = {"selector": {"matchLabels": LABELS}, "endpoints": [endpoint]}
    rules = {"groups": alert_groups(namespace, args.runbook_url)}
    for kind, spec in (("ServiceMonitor", scrape), ("PrometheusRule", rules)):
        CustomResource(
            f"{name}-{kind.lower()}",
            api_version=_API_VERSION,
            kind=kind,
            metadata=ObjectMetaArgs(name=OPERATOR, namespace=namespace, labels=dict(args.labels) or None),
            spec=spec,
            opts=opts,
        )
    if args.dashboard_labels:
        ConfigMap(
            f"{name}-dashboard",
            metadata=ObjectMetaArgs(
                name=f"{OPERATOR}-dashboard", namespace=namespace, labels=dict(args.dashboard_labels)
            ),
            # The sidecar writes what it finds in all namespaces into one directory.
            data={f"{OPERATOR}-{namespace}.json": _dashboard(namespace)},
            opts=opts,
        )


def alert_groups(namespace: str, runbook_url: str) -> list[dict[str, Any]]:
    """Give the alerts for the operator of one namespace, each with the address of its section in the runbook."""
    rules = _file("rules.yaml").replace(_PLACEHOLDER, f'namespace="{namespace}"')
    groups: list[dict[str, Any]] = yaml.safe_load(rules)["groups"]
    for group in groups:
        for rule in group["rules"]:
            rule["annotations"]["runbook_url"] = f"{runbook_url}#{rule['alert'].lower()}"
    return groups


def _dashboard(namespace: str) -> str:
    """Give the dashboard of the operator of one namespace; a Grafana may have one of each."""
    body = json.loads(_file("dashboard.json"))
    body["uid"] += f"-{hashlib.sha256(namespace.encode()).hexdigest()[:12]}"  # of 40 characters at most
    body["title"] += f" in {namespace}"
    for variable in body["templating"]["list"]:
        if variable["name"] == "namespace":
            variable["current"] = {"text": [namespace], "value": [namespace]}
    return json.dumps(body, indent=1)


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
