"""The dashboard's panels, as a Prometheus is asked for them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from exchangerates_infra.project import ROOT

NAMESPACE = "exchange-rate-operator"
LABELS = {"namespace": NAMESPACE, "job": "exchange-rate-operator"}
"""What the stack's ServiceMonitor gives to each series."""


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: Its title.
        kind: `stat` for a number, `timeseries` for lines.
        unit: `none`, `s`, `ops` or `bytes`.
        expression: Its query, for the operator of one namespace.
        legend: What names a line, with labels in double braces.
    """

    title: str
    kind: str
    unit: str
    expression: str
    legend: str

    def name(self, labels: Mapping[str, str]) -> str:
        """Give a line's name."""
        return re.sub(r"\{\{(\w+)\}\}", lambda label: labels[label[1]], self.legend)


def panels() -> list[Panel]:
    """Give them, from left to right and from top to bottom."""
    dashboard = json.loads((ROOT / "infra/exchangerates_infra/dashboard.json").read_text(encoding="utf-8"))
    found = sorted(dashboard["panels"], key=lambda panel: (panel["gridPos"]["y"], panel["gridPos"]["x"]))
    return [
        Panel(
            panel["title"],
            panel["type"],
            panel["fieldConfig"]["defaults"]["unit"],
            target["expr"].replace("$namespace", NAMESPACE),
            "" if target["legendFormat"] == "__auto" else target["legendFormat"],
        )
        for panel in found
        for target in panel["targets"]
    ]
