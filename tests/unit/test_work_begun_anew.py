"""The controller's work in one process, ended and begun again: as when a CRD was deleted and comes back."""

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.upstreams import two_providers
from tests.unit.world import World

from exchangerates.errors import ApiUnreachable
from exchangerates.objects import ConfigMap, ObjectKey

FRESH = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)
SLOW_S = 30.0


@pytest.mark.parametrize("published", [False, True], ids=["a new object", "a published one"])
def test_an_object_whose_pass_was_cut_off_is_served_by_the_next_run(
    monkeypatch: pytest.MonkeyPatch, *, published: bool
) -> None:
    """The API server hangs at the end of the first run, for longer than a pass may go on."""
    first, second = two_providers()
    world = World(monkeypatch, FRESH, first, second)
    create, patch = world.cluster.create_config_map, world.cluster.patch_config_map
    hangs, slow = not published, list[str]()

    async def hang(call: str) -> None:
        if hangs:
            slow.append(call)
            await asyncio.sleep(SLOW_S)
            raise ApiUnreachable("it hangs")

    async def slow_create(body: Mapping[str, Any]) -> ConfigMap:
        await hang("create")
        return await create(body)

    async def slow_patch(key: ObjectKey, change: Mapping[str, Any]) -> ConfigMap:
        await hang("patch")
        return await patch(key, change)

    monkeypatch.setattr(world.cluster, "create_config_map", slow_create)
    monkeypatch.setattr(world.cluster, "patch_config_map", slow_patch)

    async def story() -> None:
        nonlocal hangs
        await asyncio.sleep(1.0)
        world.cluster.add("rate", refreshInterval="1m")
        await asyncio.sleep(5.0)
        hangs, first.rates = True, {"USD": "1.2000"}
        await asyncio.sleep(70.0 if published else 0.0)
        await world.stop()
        hangs = False
        world.start()
        await asyncio.sleep(3600.0)
        assert slow, "a pass was cut off"
        assert world.cluster.ready("rate") == "Published"
        assert world.cluster.data("rate")["rate"] == "1.2000"

    world.run(story())
