"""A day of an operator on a cluster in memory, as a Prometheus would have scraped it once a minute.

At ten one object asks for a currency that nobody quotes, until half past. From eleven to two the first rate provider
does not answer, and for twenty minutes no provider does, while somebody makes an object with a rate that is not there
yet. At four the banks quote. At eight the operator is restarted.
"""

import asyncio
import datetime as dt
from collections.abc import Iterator
from typing import Final, TextIO

import pytest
from tests.pictures.panels import LABELS
from tests.unit.fast_loop import clock
from tests.unit.upstreams import EcbUpstream, failing
from tests.unit.world import World

from exchangerates.api import PLURAL
from exchangerates.metrics import Gauges

BEGIN: Final = dt.datetime(2026, 10, 29, 6, tzinfo=dt.UTC)
HOURS: Final = 18
SCRAPE_S: Final = 60.0
_WATCH_S: Final = 40 * 60.0
"""How long the API server keeps a watch open."""
_ANSWER_S: Final = {"frankfurter": 0.18, "ecb": 0.4}
"""What a call to each rate provider takes."""


def write_openmetrics(to: TextIO) -> None:
    """Write the day's samples in the form of OpenMetrics."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        upstreams = [EcbUpstream(name, clock(BEGIN)) for name in _ANSWER_S]
        for upstream in upstreams:
            upstream.delay_s, upstream.least_interval_s = _ANSWER_S[upstream.name], 300.0
        world = World(monkeypatch, BEGIN, *upstreams)
        world.run(_day(world, to))
    to.write("# EOF\n")


async def _day(world: World, to: TextIO) -> None:
    for number, currency in enumerate(("USD", "GBP", "JPY", "CHF", "SEK", "NOK") * 4):
        world.cluster.add(f"rate-{number}", currency=currency, refreshInterval=f"{15 + 3 * number}m")
    told = asyncio.create_task(_what_happens(world))
    opened = -_WATCH_S
    while (now := asyncio.get_running_loop().time()) < HOURS * 3600.0:
        if now - opened >= _WATCH_S:
            opened = now
            for kind in ("configmaps", PLURAL):
                world.metrics.watch_opened(f"/apis/{kind}")
        to.writelines(f"{sample}\n" for sample in _samples(world))
        await asyncio.sleep(SCRAPE_S)
    await told


async def _what_happens(world: World) -> None:
    first, second = world.upstreams
    await _until(10.0)
    world.cluster.add("typo", currency="XTS")
    await _until(10.5)
    world.cluster.edit("typo", currency="DKK")
    await _until(11.0)
    failing(first, "HTTP 503")
    await _until(12.5)
    failing(second, "HTTP 503")
    world.cluster.add("new", base="USD", currency="ISK", refreshInterval="5m")
    await world.restart()
    await _until(12.9)
    second.error = None
    await _until(14.0)
    first.error = None
    await _until(20.0)
    await world.restart()


async def _until(hours: float) -> None:
    """Wait for a time of day, UTC."""
    due_s = hours * 3600.0 - BEGIN.hour * 3600.0
    await asyncio.sleep(due_s - asyncio.get_running_loop().time())


def _samples(world: World) -> Iterator[str]:
    agenda = world.controller.agenda
    gauges = Gauges(agenda.reasons, world.controller.backlog, world.controller.lag_s, world.tables.budgets)
    common, time = ",".join(f'{name}="{value}"' for name, value in LABELS.items()), world.now().timestamp()
    yield f"up{{{common}}} 1 {time:.0f}"
    for line in world.metrics.exposition(gauges).decode().splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            name, _, labels = series.rstrip("}").partition("{")
            yield f"{name}{{{','.join(filter(None, (labels, common)))}}} {value} {time:.0f}"
