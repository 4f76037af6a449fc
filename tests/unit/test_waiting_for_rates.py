"""What objects do while a rate provider is being asked: most answers come soon, some never."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from tests.unit.upstreams import two_providers
from tests.unit.world import World

from exchangerates.controller import WORKERS

NOW = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)
OBJECTS = 10 * WORKERS


def test_an_answer_that_comes_soon_costs_no_object_a_second_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """But those that are served already: at a start thousands are new at once."""
    first, second = two_providers()
    world = World(monkeypatch, NOW, first, second)
    passes, real = 0, world.reconciler.reconcile

    async def reconcile(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        nonlocal passes
        passes += 1
        return await real(*args, **kwargs)

    monkeypatch.setattr(world.reconciler, "reconcile", reconcile)

    async def story() -> None:
        first.delay_s = 0.1
        for number in range(OBJECTS):
            world.cluster.add(f"rate-{number}")
        await asyncio.sleep(5.0)
        assert {world.cluster.ready(f"rate-{number}") for number in range(OBJECTS)} == {"Published"}
        assert passes <= OBJECTS + WORKERS

    world.run(story())


def test_an_answer_that_is_late_keeps_nobody_elses_object_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """More objects wait for it than there are passes at once; one of another provider is served meanwhile."""
    first, second = two_providers()
    world = World(monkeypatch, NOW, first, second)

    async def story() -> None:
        first.delay_s = 25.0
        for number in range(OBJECTS):
            world.cluster.add(f"rate-{number}")
        world.cluster.add("other", provider="ecb")
        await asyncio.sleep(1.0)
        assert world.cluster.ready("other") == "Published"
        assert first.calls == 1
        await asyncio.sleep(30.0)
        assert {world.cluster.ready(f"rate-{number}") for number in range(OBJECTS)} == {"Published"}
        assert first.calls == 1

    world.run(story())
