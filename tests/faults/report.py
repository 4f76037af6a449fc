"""What a soak has found: a line now and then, and a report in Markdown at the end."""

import json
import os
import platform
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Final

from tests.cluster.audit import USER
from tests.faults.scene import Scene

from exchangerates_infra.project import ROOT

PAGE: Final = ROOT / "docs" / "soak.md"
_BEGIN: Final = "<!-- written by the soak -->\n"
_SERIES: Final = 'exchangerates_watch_restarts_total{{resource="{}"}}'


class Report:
    """The figures of one run.

    Args:
        objects: How many there are.
        seed: What chose the faults.

    Attributes:
        violations: What was wrong, as text.
        refused: Users' requests that a fault has cost.
    """

    def __init__(self, objects: int, seed: int) -> None:
        self._objects, self._seed = objects, seed
        self._recoveries: defaultdict[str, list[float]] = defaultdict(list)
        self._calls = _Calls()
        self._began = self._ended = time.monotonic()
        self._rss_mb: list[float] = []
        self._restarts = 0.0
        self._restarts_now = 0.0
        self._seen = self._told = 0
        self.violations: list[str] = []
        self.refused = 0

    def begin(self, place: Scene) -> None:
        """Begin to measure."""
        self._began = time.monotonic()
        self._calls.read(place.control_plane.audit_log)
        self._calls.count = 0
        self._measure(place)

    def recovered(self, kind: str, seconds: float) -> None:
        """Take up how long after a fault's end all were Ready."""
        self._recoveries[kind].append(seconds)

    def tell(self, place: Scene, kind: str) -> None:
        """Print a line of how things stand after a fault of a kind."""
        self._measure(place)
        faults = sum(map(len, self._recoveries.values()))
        last = self._recoveries[kind][-1]
        sys.stdout.write(
            f"{(self._ended - self._began) / 60:5.1f} min: {faults} faults, from {kind!r} recovered in {last:.1f} s, "
            f"{self._seen} versions looked at, {len(self.violations)} violations, {self._rss_mb[-1]:.0f} MB, "
            f"{self._calls.count} API calls\n"
        )
        sys.stdout.writelines(f"       {violation}\n" for violation in self.violations[self._told :])
        self._told = len(self.violations)
        sys.stdout.flush()

    def end(self, place: Scene) -> None:
        """Take the last figures."""
        self._measure(place)

    def markdown(self) -> str:
        """Give the report."""
        rss, hours = self._rss_mb, (self._ended - self._began) / 3600
        every = [seconds for found in self._recoveries.values() for seconds in found]
        machine = (
            f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
        )
        lines = [
            f"{60 * hours:.0f} minutes with {self._objects:,} objects, seed {self._seed}, on {machine}.\n",
            "| what | how much |",
            "| --- | --- |",
            f"| violations of what the operator promises | {len(self.violations)} |",
            f"| faults | {len(every)} |",
            f"| a fault's end until all are Ready | p50 {statistics.median(every):.1f} s, max {max(every):.1f} s |",
            f"| versions of ConfigMaps looked at | {self._seen:,} |",
            f"| resident memory: start, end, most | {rss[0]:.0f} MB, {rss[-1]:.0f} MB, {max(rss):.0f} MB |",
            f"| watches opened anew | {self._restarts + self._restarts_now:.0f} |",
            f"| calls to the API server | {self._calls.count / self._objects / hours:.1f} per object and hour |",
            "",
            "| fault | times | slowest recovery, s |",
            "| --- | --- | --- |",
            *(f"| {kind} | {len(found)} | {max(found):.1f} |" for kind, found in sorted(self._recoveries.items())),
        ]
        told = [f"- {violation}" for violation in self.violations]
        return "\n".join([*lines, *(["", *told] if told else [])]) + "\n"

    def _measure(self, place: Scene) -> None:
        self._ended = time.monotonic()
        self._rss_mb.append(place.operator.metric("process_resident_memory_bytes") / 2**20)
        now = sum(place.operator.metric(_SERIES.format(name)) for name in ("configmaps", "exchangerates"))
        if now < self._restarts_now:  # a new process counts from nothing
            self._restarts += self._restarts_now
        self._restarts_now = now
        self._calls.read(place.control_plane.audit_log)
        self._seen = place.invariant.seen
        self.violations += [text for text in place.invariant.violations if text not in self.violations]


class _Calls:
    """Counts the operator's finished requests in the audit log, which starts a new file now and then."""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._inode, self._read_to = 0, 0
        self.count = 0

    def read(self, log: Path) -> None:
        """Take up what was written since."""
        found = log.stat().st_ino
        if self._inode not in (0, found):
            for old in log.parent.glob(f"{log.stem}-*{log.suffix}"):
                if old.stat().st_ino == self._inode:
                    self._take(old)
            self._read_to = 0
        self._inode = found
        self._take(log)

    def _take(self, log: Path) -> None:
        with log.open("rb") as file:
            file.seek(self._read_to)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read_to += len(line)
                if USER.encode() in line and json.loads(line)["user"].get("username") == USER:
                    self.count += 1


def write(found: Report) -> None:
    """Put the report into its page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.partition(_BEGIN)[0] + _BEGIN + found.markdown(), encoding="utf-8")
