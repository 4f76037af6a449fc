"""Whatever rate providers quote, however they fail and whoever interferes: what is published was quoted so.

A whole operator on a cluster in memory lives through stories that nobody has written: tables that change, outages,
restarts, edits of ConfigMaps and specs, refreshes and approvals, writes that fail or are not answered, and a process
that ends at any of them.
"""

import asyncio
import contextlib
import datetime as dt
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.witness import CODES, NOBODYS, Remembered, Witness, Writes
from tests.unit.world import World

from exchangerates.api import APPROVE_ANNOTATION, REFRESH_ANNOTATION
from exchangerates.errors import AccessRefused, FetchError

NIGHT = dt.datetime(2026, 10, 30, 20, tzinfo=dt.UTC)
HOUR_S = 3600.0
SPECS: dict[str, dict[str, Any]] = {
    "plain": {},
    "pinned": {"provider": "ecb"},
    "wary": {"maxChangePercent": "5", "minChangePercent": "0.5"},
    "withdrawn": {"onStale": "Withdraw", "maxAge": "24h"},
    "cross": {"base": "USD", "currency": "GBP"},
    "set": {"currency": None, "currencies": list(CODES), "maxChangePercent": "20"},
    "quiet-set": {"currency": None, "currencies": list(CODES), "minChangePercent": "1"},
}


CHANGES: dict[str, dict[str, Any]] = {
    "suspended": {"suspend": True},
    "resumed": {"suspend": False},
    "renamed": {"target": {"name": "renamed"}},
    "named back": {"target": {}},
    "pinned": {"provider": "frankfurter"},
    "not pinned": {"provider": None},
    "wary": {"maxChangePercent": "5"},
    "bold": {"maxChangePercent": None},
    "other base": {"base": "GBP"},
    "former base": {"base": "EUR"},
}
respecs = st.tuples(st.sampled_from(sorted(SPECS)), st.sampled_from(sorted(CHANGES)))
events = st.one_of(
    st.tuples(
        st.just("quote"),
        st.integers(0, 1),
        st.tuples(st.integers(-3, 1), st.integers(0, 2)),
        st.dictionaries(st.sampled_from(CODES), st.decimals("0.0000001", "99999", places=7).filter(bool), max_size=2),
    ),
    st.tuples(
        st.just("quote"),
        st.integers(0, 1),
        st.tuples(st.integers(-3, 1), st.integers(0, 2)),
        st.fixed_dictionaries(
            {"USD": st.decimals("1.05", "1.2", places=4), "GBP": st.decimals("0.8", "0.9", places=4)}
        ),
    ),
    st.tuples(st.just("fail"), st.integers(0, 1), st.sampled_from(["HTTP 500", "Retry-After", "refused"])),
    st.tuples(st.just("heal"), st.integers(0, 1)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("sleep"), st.sampled_from([HOUR_S, 5 * HOUR_S])),
    st.tuples(st.just("refresh"), st.sampled_from(sorted(SPECS))),
    st.tuples(st.sampled_from(["spike", "almost approved spike"]), st.sampled_from(["wary", "set"])),
    st.tuples(st.just("edit"), st.sampled_from(sorted(SPECS))),
    st.tuples(st.just("lose"), st.sampled_from(sorted(SPECS))),
    st.tuples(st.just("respec"), st.sampled_from(sorted(SPECS)), st.sampled_from(sorted(CHANGES))),
    st.tuples(st.just("lose writes"), st.integers(0, 8), st.integers(1, 12), st.booleans()),
    st.tuples(st.just("end"), st.integers(0, 12), st.booleans(), st.integers(0, 2), st.lists(respecs, max_size=2)),
    st.tuples(st.just("end"), st.integers(0, 12), st.booleans(), st.integers(0, 2), st.lists(respecs, max_size=2)),
)
FAULTS = {
    "HTTP 500": FetchError("HTTP 500"),
    "Retry-After": FetchError("HTTP 503", retry_after_s=5000.0),
    "refused": AccessRefused("access refused (HTTP 401)"),
}
wishes = count(50)


async def happen(world: World, witness: Witness, writes: Writes, event: tuple[Any, ...]) -> None:
    """Let one thing happen, and the operator see it."""
    upstreams = world.upstreams
    match event:
        case ("quote", number, (days, lag), rates):
            upstream = upstreams[number]
            assert isinstance(upstream, Remembered)
            upstream.date, upstream.lag = world.now().date() + dt.timedelta(days), dt.timedelta(lag)
            upstream.rates = {code: f"{rate:f}" for code, rate in rates.items()}
        case ("fail", number, fault):
            upstreams[number].error = FAULTS[fault]
        case ("heal", number):
            upstreams[number].error = None
        case ("restart",):
            await world.restart()
        case ("sleep", seconds):
            await asyncio.sleep(seconds)
        case (kind, *rest) if world.cluster.rates:
            await interfere(world, witness, writes, kind, rest)
    await asyncio.sleep(90.0)


async def interfere(world: World, witness: Witness, writes: Writes, kind: str, rest: list[Any]) -> None:
    """Let somebody, or the API server, do something with objects that are there."""
    match kind, *rest:
        case ("lose writes", after, times, done):
            writes.lose(after, times, done=done)
        case ("end", after, done, failing, changes):
            await end(world, witness, writes, (after, done, failing, changes))
        case ("respec", name, change):
            respec(world, witness, name, change)
        case ("edit", name) if witness.is_told(name):  # else nobody knew any more what was published
            world.cluster.tamper(name, rate="9", USD="9", quote=NOBODYS)
        case ("lose", name) if witness.is_told(name):
            world.cluster.lose(name)
        case ("refresh", name):
            world.cluster.annotate(name, REFRESH_ANNOTATION, str(next(wishes)))
        case (("spike" | "almost approved spike"), name):
            await spike(world, name, approval="" if kind == "spike" else "1")


async def spike(world: World, name: str, approval: str) -> None:
    """Let a rate jump, and somebody approve it; with something before it, what is approved is another one."""
    for upstream in world.upstreams:
        upstream.date, upstream.error = world.now().date(), None
    world.upstreams[0].rates = {code: f"{next(wishes)}.5" for code in CODES}
    world.cluster.annotate(name, REFRESH_ANNOTATION, str(next(wishes)))
    await asyncio.sleep(90.0)
    held = world.cluster.status(name).get("held", {}).get("approval", "")
    world.cluster.annotate(name, APPROVE_ANNOTATION, f"{approval}{held}")


async def end(world: World, witness: Witness, writes: Writes, how: tuple[Any, ...]) -> None:
    """Let the process end at one of its next writes, and another begin after changes, with this many providers down."""
    after, done, failing, changes = how
    for upstream in world.upstreams:
        upstream.date, upstream.error = world.now().date(), None
        upstream.rates = {code: f"1.{next(wishes)}" for code in CODES}
    writes.lose(after, 10**6, done=done)
    for name in SPECS:
        world.cluster.annotate(name, REFRESH_ANNOTATION, str(next(wishes)))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(writes.ended.wait(), 2 * HOUR_S)
    await world.stop()
    writes.lose(0, 0, done=False)
    for upstream in world.upstreams[:failing]:
        upstream.error = FAULTS["HTTP 500"]
    for name, change in changes:
        respec(world, witness, name, change)
    await world.restart()


def respec(world: World, witness: Witness, name: str, change: str) -> None:
    """Change an object's spec as its user does."""
    spec = {**witness.specs[name][-1], **CHANGES[change]}
    if spec.get("target"):
        spec["target"] = {"name": f"renamed-{name}"}
    witness.changed(name, spec)
    world.cluster.edit(name, **{"currency": "USD", **spec})


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(events, min_size=1, max_size=12))
def test_what_is_published_was_quoted_whatever_happens(monkeypatch: pytest.MonkeyPatch, story: list[Any]) -> None:
    """For that pair on that day, plain and positive; its day is never before that of what was published before."""
    upstreams = (Remembered("frankfurter"), Remembered("ecb"))
    world = World(monkeypatch, NIGHT, *upstreams)
    witness = Witness(world, SPECS, *upstreams)

    async def told() -> None:
        writes = Writes(world, witness)
        await happen(world, witness, writes, story[0])
        for name, spec in SPECS.items():
            world.cluster.add(name, **spec)
        for event in (("sleep", 0.0), *story[1:], ("heal", 0), ("heal", 1), ("sleep", 2 * HOUR_S)):
            await happen(world, witness, writes, event)
            witness.look_at_all()
        assert NOBODYS not in [held["data"].get("quote") for held in world.cluster.maps.values()]
        assert "InternalError" not in {world.cluster.ready(name) for name in SPECS}

    world.run(told())
