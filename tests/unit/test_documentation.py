"""What users read of reasons and metrics is what there is."""

import re

from exchangerates.api import Reason
from exchangerates.metrics import Gauges, Metrics
from exchangerates_infra.project import ROOT

FIRST_CELL = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def documented(heading: str) -> set[str]:
    """Give what the first column of a section's table names."""
    text = (ROOT / "docs/operator.md").read_text(encoding="utf-8")
    return set(FIRST_CELL.findall(text.split(f"\n## {heading}\n")[1].split("\n## ")[0]))


def test_every_reason_is_documented_and_no_other() -> None:
    """Of conditions and events."""
    assert documented("Conditions") == set(Reason)


def test_every_metric_is_documented_and_no_other() -> None:
    """But for those of the process, whose names are Prometheus' own."""
    text = Metrics(["ecb"]).exposition(Gauges(dict, lambda: 0, lambda: 0.0)).decode()
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    assert documented("Metrics") == {name for name in names if not name.startswith("process_")}
