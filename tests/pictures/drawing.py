"""Panels as an SVG, without a library: a number, or lines over a day."""

import datetime as dt
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final
from xml.sax.saxutils import escape

from tests.pictures.panels import Panel
from tests.prometheus import Series

_WIDTH, _HEIGHT, _GAP = 430.0, 176.0, 10.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 16.0, 32.0, 44.0
"""The margins of a panel, in which its title, its axes and its legend are."""
_COLUMNS: Final = 2
_COLOURS: Final = ("#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#f2495c", "#b877d9", "#8ab8ff", "#c0d8ff")
_STYLE: Final = (
    "text{font:10px sans-serif;fill:#ccccdc}.t{font-weight:600;font-size:12px}.n{font-size:52px;fill:#73bf69}"
    ".p{fill:#181b1f;stroke:#2e3136}.g{stroke:#2e3136}.l{fill:none;stroke-width:1.5;stroke-linejoin:round}"
)


def drawing(found: Sequence[tuple[Panel, Sequence[Series]]], begin: dt.datetime, end: dt.datetime) -> str:
    """Give the picture of panels with what their queries answered, each line under its name."""
    rows = math.ceil(len(found) / _COLUMNS)
    width, height = _COLUMNS * (_WIDTH + _GAP) + _GAP, rows * (_HEIGHT + _GAP) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
        f"<title>The dashboard</title><style>{_STYLE}</style>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#111217"/>',
    ]
    for number, (panel, series) in enumerate(found):
        x, y = (number % _COLUMNS) * (_WIDTH + _GAP) + _GAP, (number // _COLUMNS) * (_HEIGHT + _GAP) + _GAP
        inside = _number(panel, series) if panel.kind == "stat" else _lines(panel, series, begin, end)
        parts += [
            f'<g transform="translate({x:.0f} {y:.0f})"><title>{escape(panel.expression)}</title>',
            f'<rect class="p" width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}"/>',
            f'<text class="t" x="12" y="19">{escape(panel.title)}</text>',
            *inside,
            "</g>",
        ]
    return "\n".join([*parts, "</svg>", ""])


def _number(panel: Panel, series: Sequence[Series]) -> list[str]:
    """Give the last value, large."""
    last = series[0].points[-1][1]
    return [f'<text class="n" x="{_WIDTH / 2:.0f}" y="118" text-anchor="middle">{_shown(last, panel.unit)}</text>']


def _lines(panel: Panel, series: Sequence[Series], begin: dt.datetime, end: dt.datetime) -> list[str]:
    """Give the axes, a line for each series, and the lines' names."""
    most = max((value for each in series for _, value in each.points if math.isfinite(value)), default=1.0)
    ceiling = _ceiling(most, panel.unit)
    across, down, bottom = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM, _HEIGHT - _BOTTOM

    def x_of(time: float) -> float:
        return _LEFT + across * (time - begin.timestamp()) / (end - begin).total_seconds()

    parts = []
    for share in (0.0, 0.5, 1.0):
        y, label = bottom - down * share, _shown(ceiling * share, panel.unit)
        parts.append(f'<path class="g" d="M{_LEFT:.0f} {y:.1f}H{_WIDTH - _RIGHT:.0f}"/>')
        parts.append(f'<text x="{_LEFT - 6:.0f}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for hour in range(0, int((end - begin).total_seconds()) // 3600 + 1, 3):
        time = begin + dt.timedelta(hours=hour)
        x = x_of(time.timestamp())
        parts.append(f'<text x="{x:.1f}" y="{bottom + 15:.0f}" text-anchor="middle">{time:%H:%M}</text>')
    at = 12.0
    for each, colour in zip(series, _COLOURS, strict=False):
        for run in _runs(each.points):
            points = " ".join(f"{x_of(time):.1f},{bottom - down * value / ceiling:.1f}" for time, value in run)
            parts.append(f'<polyline class="l" stroke="{colour}" points="{points}"/>')
        name = panel.name(each.labels) or "all"
        parts.append(f'<rect x="{at:.0f}" y="{_HEIGHT - 17:.0f}" width="10" height="3" fill="{colour}"/>')
        parts.append(f'<text x="{at + 14:.0f}" y="{_HEIGHT - 12:.0f}">{escape(name)}</text>')
        at += 24.0 + 5.4 * len(name)
    return parts


def _runs(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Give the parts of a line between its gaps; points in a row of one value are two."""
    step_s = min((after[0] - before[0] for before, after in pairwise(points)), default=0.0)
    runs: list[list[tuple[float, float]]] = [[]]
    for time, value in points:
        run = runs[-1]
        if not math.isfinite(value) or (run and time - run[-1][0] > 1.5 * step_s):
            runs.append([] if not math.isfinite(value) else [(time, value)])
        elif len(run) > 1 and run[-2][1] == run[-1][1] == value:
            run[-1] = (time, value)
        else:
            run.append((time, value))
    return [run for run in runs if run]


def _ceiling(most: float, unit: str) -> float:
    """Give the least round number, in the unit in which it is shown, that holds them all."""
    if most <= 0.0:
        return 1.0
    size, _ = _scale(most, unit)
    power = 10.0 ** math.floor(math.log10(most / size))
    return next(step * power * size for step in (1.0, 2.0, 5.0, 10.0) if step * power * size >= most)


def _scale(value: float, unit: str) -> tuple[float, str]:
    """Give the unit in which a value is shown: how many of the query's it is, and its name."""
    match unit:
        case "bytes":
            return 2.0**20, " MiB"
        case "s":
            sizes = ((86400.0, " d"), (3600.0, " h"), (60.0, " min"), (1.0, " s"))
            return next((scale for scale in sizes if value >= scale[0]), (0.001, " ms"))
        case "ops":
            return 1.0, " ops/s"
    return 1.0, ""


def _shown(value: float, unit: str) -> str:
    """Give a value with its unit, as Grafana does."""
    size, name = _scale(value, unit)
    return f"{value / size:.3g}{name}" if value else "0"
