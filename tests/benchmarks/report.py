"""Figures as text, as Markdown tables and as a plot."""

import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.cold import Cost
from tests.benchmarks.scale import Scale
from tests.benchmarks.scenarios import Work, percentile

Costs = Mapping[tuple[str, int], Sequence[Cost]]
_TABLE: Final = re.compile(r"(<!-- (\w+): written by the benchmark -->\n).*?(<!-- end -->)", re.DOTALL)
_COLUMNS: Final = (
    "objects",
    "contender",
    "wall s, median (least to most)",
    "of the floor's",
    "CPU s",
    "CPU ms per object",
    "peak MB",
    "upstream calls",
    "API writes",
)


def line(cost: Cost) -> str:
    """Give a measurement in a line."""
    return f"{cost.wall_s:.1f} s, {cost.cpu_s:.1f} CPU s, {cost.peak_mb:.0f} MB, {cost.upstream} upstream calls"


def work(done: Work, wall: str = "first write to last") -> str:
    """Give a scenario in a line."""
    return (
        f"{done.wall_s:.1f} s {wall}, {done.cpu_s:.1f} CPU s, {done.peak_mb:.0f} MB, {done.writes} writes, "
        f"{done.upstream} upstream calls"
    )


def scale(found: Scale) -> str:
    """Give what many objects took in a line."""
    own = " and ".join(f"{cpu_s:.0f} CPU s, {peak_mb:.0f} MB" for cpu_s, peak_mb in found.operators)
    grown = ", ".join(
        f"{what} {before:.0f} -> {after:.0f} MB"
        for what, (before, after) in (
            ("API server", found.api_server_mb),
            ("etcd", found.etcd_mb),
            ("its database", found.stored_mb),
        )
    )
    return f"{found.wall_s:.0f} s until all are published: {own}, {found.upstream} upstream calls; {grown}"


def spread(values: Sequence[float], unit: str) -> str:
    """Give the median, and the least and the most."""
    return f"{statistics.median(values):.2f} {unit} ({min(values):.2f} to {max(values):.2f})"


def latencies(values: list[float]) -> str:
    """Give percentiles of sorted milliseconds."""
    return f"p50 {percentile(values, 0.5):.0f} ms, p99 {percentile(values, 0.99):.0f} ms, most {values[-1]:.0f} ms"


def write(docs: Path, costs: Costs, found: Sequence[tuple[str, str]]) -> None:
    """Put the tables and the plot into the documentation."""
    tables = {"cold": _cold_table(costs), "scenarios": _scenario_table(found)}
    page = docs / "speed.md"
    text = page.read_text(encoding="utf-8")
    text = _TABLE.sub(lambda match: f"{match[1]}{tables[match[2]]}{match[3]}", text)
    page.write_text(text, encoding="utf-8")
    _plot(docs / "speed.svg", costs)


def _cold_table(costs: Costs) -> str:
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    rows = [
        f"Measured on {machine}.\n",
        f"| {' | '.join(_COLUMNS)} |",
        f"|{' --- |' * len(_COLUMNS)}",
    ]
    for name, size in sorted(costs, key=lambda pair: (pair[1], pair[0] != "floor", pair[0])):
        measured = costs[name, size]
        walls = [cost.wall_s for cost in measured]
        floor_s = statistics.median(cost.wall_s for cost in costs["floor", size])
        cpu_s = statistics.median(cost.cpu_s for cost in measured)
        writes = sum(n for verb, n in measured[0].verbs.items() if verb.split()[0] in {"create", "patch", "update"})
        rows.append(
            f"| {size:,} | {name} | {statistics.median(walls):.1f} ({min(walls):.1f} to {max(walls):.1f}) "
            f"| {statistics.median(walls) / floor_s:.2f} | {cpu_s:.1f} | {1000 * cpu_s / size:.2f} "
            f"| {max(cost.peak_mb for cost in measured):.0f} | {measured[0].upstream:,} | {writes:,} |"
        )
    return "\n".join(rows) + "\n"


def _scenario_table(found: Sequence[tuple[str, str]]) -> str:
    rows = ["| scenario | what it took |", "| --- | --- |", *(f"| {what} | {told} |" for what, told in found)]
    return "\n".join(rows) + "\n"


def _plot(path: Path, costs: Costs) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - only who writes needs it

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "speed"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    parts = (("wall time, s", "wall_s"), ("CPU time, s", "cpu_s"), ("peak memory, MB", "peak_mb"))
    for axis, (title, field) in zip(axes, parts, strict=True):
        for name, style in (("floor", "k--"), ("operator", "C0o-"), ("tutorial", "C3s-")):
            sizes = sorted(size for contender, size in costs if contender == name)
            values = [statistics.median(getattr(cost, field) for cost in costs[name, size]) for size in sizes]
            axis.plot(sizes, values, style, label=name)
        axis.set(title=title, xlabel="new objects", ylim=(0, None), yscale="linear")
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
