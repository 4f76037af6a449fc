"""Measures the operator beside a bare client and a tutorial's operator.

`uv run --group benchmarks python -m tests.benchmarks` takes more than an hour. Every measurement has a control plane of
its own, and the contenders take turns. Each figure is printed as it comes; `--write` puts them into `docs/`.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Final

from tests.benchmarks import report, scenarios
from tests.benchmarks.cold import CONTENDERS, Cost, cold
from tests.benchmarks.scale import scale

from exchangerates_infra.project import ROOT

DOCS: Final = ROOT / "docs"


def tell(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def cold_starts(sizes: list[int], repeats: int) -> dict[tuple[str, int], list[Cost]]:
    """Measure all contenders at all sizes, in turns; the tutorial's, which takes minutes, once at each size."""
    costs: dict[tuple[str, int], list[Cost]] = {}
    for turn in range(repeats):
        for size in sizes:
            for name in CONTENDERS:
                if name == "tutorial" and turn > 0:
                    continue
                cost = cold(name, size)
                costs.setdefault((name, size), []).append(cost)
                tell(f"cold start, {size} objects, {name}: {report.line(cost)}")
    return costs


def changed_refreshes(size: int, repeats: int, note: Callable[[str, str], None]) -> None:
    """Measure refreshes that change every rate, and the floor of that, in turns; note the middle of each."""
    pairs = [(scenarios.refresh(size, changed=True), scenarios.floor_update(size)) for _ in range(repeats)]
    ratios = [changed.wall_s / floor.wall_s for changed, floor in pairs]
    changed, floor = (sorted(works, key=lambda work: work.wall_s)[repeats // 2] for works in zip(*pairs, strict=True))
    note(f"start and refresh of {size}, every rate changed", report.work(changed))
    note("the floor of that", f"{report.work(floor)}; the operator takes {report.spread(ratios, 'times')} of that")


def main() -> None:
    """Measure, and write what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--sizes", default="1000,5000,10000", help="numbers of objects of the cold starts")
    parser.add_argument("--repeats", type=int, default=4, help="measurements of each contender at each size")
    parser.add_argument("--size", type=int, default=10000, help="number of objects of what follows")
    parser.add_argument("--scale", type=int, default=15000, help="number of objects of one operator, and of two")
    parser.add_argument("--idle-s", type=float, default=600.0, help="seconds of quiet")
    parser.add_argument("--write", action="store_true", help="write docs/speed.md's tables and docs/speed.svg")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.sizes.split(",")]
    size = arguments.size
    costs = cold_starts(sizes, arguments.repeats)
    found: list[tuple[str, str]] = []

    def note(what: str, told: str) -> None:
        found.append((what, told))
        tell(f"{what}: {told}")

    resident_mb, start_s = scenarios.nothing()
    note("no objects", f"{resident_mb:.0f} MB resident, {start_s:.2f} CPU s for the start")
    note("process start to the first Ready", report.spread(scenarios.first_ready(), "s"))
    note(f"restart over {size} published objects", report.work(scenarios.restart(size), "until all is listed"))
    note(f"start and refresh of {size}, every rate unchanged", report.work(scenarios.refresh(size, changed=False)))
    changed_refreshes(size, arguments.repeats, note)
    note(f"{scenarios.BURST} new objects while {size} are refreshed", report.latencies(scenarios.burst(size)))
    note(
        "the floor of that burst", f"{cold('floor', scenarios.BURST).wall_s:.2f} s for as many with nothing else to do"
    )
    note(f"one change, {size} quiet objects", report.latencies(scenarios.reaction(size)))
    note(f"deletion of {sizes[0]}", report.work(scenarios.deletion(sizes[0]), "until the last ConfigMap is collected"))
    idle = scenarios.idle(size, arguments.idle_s)
    note(
        f"{arguments.idle_s:.0f} s of quiet with {size} objects",
        f"{100 * idle.cpu_s / idle.wall_s:.2f} % of a core, {idle.peak_mb:.0f} MB resident, "
        f"{sum(idle.verbs.values())} requests, {idle.writes} of them writes",
    )
    for stacks in (1, 2):
        operators = "one operator" if stacks == 1 else f"{stacks} operators with a namespace each"
        note(f"{arguments.scale} objects, {operators}", report.scale(scale(arguments.scale, stacks)))
    if arguments.write:
        report.write(DOCS, costs, found)


if __name__ == "__main__":
    main()
