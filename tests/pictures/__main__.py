"""Writes docs/dashboard.svg: what a Prometheus answers to the dashboard's queries about a day of the operator."""

import datetime as dt
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.pictures import day
from tests.pictures.drawing import drawing
from tests.pictures.panels import panels
from tests.prometheus import INSTALL, MISSING, prometheus

from exchangerates_infra.project import ROOT

STEP_S = 300.0


def main() -> None:
    """Write the picture."""
    if MISSING:
        sys.exit(INSTALL)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with (directory / "day.txt").open("w", encoding="utf-8") as samples:
            day.write_openmetrics(samples)
        blocks = directory / "blocks"
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", directory / "day.txt", blocks],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        begin, end = day.BEGIN, day.BEGIN + dt.timedelta(hours=day.HOURS)
        with prometheus(directory, storage=blocks) as running:
            span = (begin.timestamp(), end.timestamp() - day.SCRAPE_S, STEP_S)
            found = [(panel, running.ask_range(panel.expression, *span)) for panel in panels()]
    (ROOT / "docs/dashboard.svg").write_text(drawing(found, begin, end), encoding="utf-8")


if __name__ == "__main__":
    main()
