"""A whole operator on a cluster in memory: what has stalled fails the liveness probe, and an outage does not."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from tests.unit.upstreams import two_providers
from tests.unit.world import World

from exchangerates.controller import STUCK_AFTER_S, WORKERS
from exchangerates.errors import ApiUnreachable
from exchangerates.objects import ExchangeRate

FRESH = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)


def test_a_pass_that_never_ends_fails_liveness(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named; the others are served all the same."""
    world = World(monkeypatch, FRESH, *two_providers())
    real = world.cluster.create_config_map

    async def create(body: Any) -> Any:  # noqa: ANN401
        if body["metadata"]["name"] == "stuck":
            await asyncio.Event().wait()
        return await real(body)

    monkeypatch.setattr(world.cluster, "create_config_map", create)

    async def story() -> None:
        world.cluster.add("stuck")
        world.cluster.add("well")
        await asyncio.sleep(STUCK_AFTER_S - 5.0)
        assert world.controller.problems() == []
        await asyncio.sleep(10.0)
        assert world.controller.problems() == ["the pass over default/stuck does not end"]
        assert world.cluster.ready("well") == "Published"

    world.run(story())


def test_a_stalled_dispatcher_fails_liveness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every worker hangs, so that nothing is handed out any more; and a stalled list too."""
    world = World(monkeypatch, FRESH, *two_providers())

    async def never(*_: object) -> Any:  # noqa: ANN401
        await asyncio.Event().wait()

    async def story() -> None:
        await asyncio.sleep(1.0)
        monkeypatch.setattr(world.cluster, "create_config_map", never)
        monkeypatch.setattr(world.cluster, "list_config_maps", _endless)
        for number in range(WORKERS + 1):
            world.cluster.add(f"rate-{number}")
        await asyncio.sleep(3600.0)
        problems = " ".join(world.controller.problems())
        assert "the dispatcher has not run" in problems
        assert "the resync has not run" in problems

    world.run(story())


def test_an_outage_of_the_api_server_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither lists nor passes that fail for hours are a stall."""
    world = World(monkeypatch, FRESH, *two_providers())

    async def down(*_: object, **__: object) -> Any:  # noqa: ANN401
        raise ApiUnreachable("no answer")

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(10.0)
        real = {name: getattr(world.cluster, name) for name in ("create_config_map", "patch_status")}
        for name in real:
            monkeypatch.setattr(world.cluster, name, down)
        monkeypatch.setattr(world.cluster, "list_exchange_rates", _unreachable)
        world.cluster.add("meanwhile")
        await asyncio.sleep(2 * 3600.0)
        assert world.controller.problems() == []
        for name, call in real.items():
            monkeypatch.setattr(world.cluster, name, call)
        await asyncio.sleep(300.0)
        assert world.cluster.ready("meanwhile") == "Published"

    world.run(story())


async def _unreachable(*_: object) -> Any:  # noqa: ANN401
    for failed in (ApiUnreachable("no answer"),):
        raise failed
    yield ExchangeRate


async def _endless(*_: object) -> Any:  # noqa: ANN401
    await asyncio.Event().wait()
    yield
