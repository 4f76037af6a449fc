"""Objects in a namespace that is being deleted, which can take as long as its Pods do."""

import asyncio
import datetime as dt

import pytest
from tests.unit.upstreams import Upstream
from tests.unit.world import World

from exchangerates.errors import ApiError
from exchangerates.objects import ConfigMap

NOW = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)


def test_an_object_that_stays_in_a_going_namespace_makes_no_watch_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets no ConfigMap, which is tried once, and no list brings it as news; an edit has it tried again."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", NOW.date(), USD="1.00"))
    tries = list[float]()

    async def refused(*_: object) -> ConfigMap:
        tries.append(asyncio.get_running_loop().time())
        raise ApiError(403, {"details": {"causes": [{"reason": "NamespaceTerminating"}]}})

    async def story() -> None:
        monkeypatch.setattr(world.cluster, "create_config_map", refused)
        await asyncio.sleep(1.0)
        world.cluster.add("rate")
        for _ in range(720):
            await asyncio.sleep(10.0)
            assert world.controller.problems() == []
        assert len(tries) == 1
        world.cluster.edit("rate", base="USD", currency="EUR")
        await asyncio.sleep(1.0)
        assert len(tries) == 2

    world.run(story())
