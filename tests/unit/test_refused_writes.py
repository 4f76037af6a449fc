"""Writes of ConfigMaps that are refused for good, or that others' finalizers delay: one user's matter, and no stall."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from tests.unit.upstreams import Archive, Upstream
from tests.unit.world import World

from exchangerates.errors import ApiError
from exchangerates.objects import ConfigMap, ObjectKey

FRIDAY = dt.date(2026, 10, 30)
NOW = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)
NEXT = FRIDAY + dt.timedelta(days=1)
HOUR_S = 3600.0
KEY = ObjectKey("default", "rate")


async def hours_without_a_stall(world: World, hours: int) -> None:
    """Let hours pass in which the liveness probe is asked every ten seconds."""
    for _ in range(hours * 360):
        await asyncio.sleep(10.0)
        assert world.controller.problems() == []


@pytest.mark.parametrize("status", [404, 409, 422])
def test_a_patch_that_is_refused_for_good_makes_no_watch_deaf(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """What it was refused on is as it was: no list brings it as news. When the cause is gone, it is written soon."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00")
    world = World(monkeypatch, NOW, upstream)

    async def refused(*_: object) -> ConfigMap:
        raise ApiError(status, {"message": "a policy says no"})

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        with monkeypatch.context() as patched:
            patched.setattr(world.cluster, "patch_config_map", refused)
            upstream.date, upstream.rates = NEXT, {"USD": "1.20"}
            await hours_without_a_stall(world, 6)
            assert world.cluster.ready("rate") == ("TargetRefused" if status == 422 else "Published")
            await world.restart()
            await hours_without_a_stall(world, 2)
        await asyncio.sleep(300.0)
        assert world.cluster.data("rate")["rate"] == "1.20"

    world.run(story())


def test_what_the_watch_has_shown_before_a_refusal_stays_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ConfigMap was changed by somebody else while the write was on its way: the next list has no news of it."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00")
    world = World(monkeypatch, NOW, upstream)
    known = list[str]()

    async def late(*_: object) -> ConfigMap:
        world.cluster.tamper("rate", rate="9")
        await asyncio.sleep(0.1)
        asyncio.get_running_loop().call_soon(look)
        monkeypatch.setattr(world.cluster, "patch_config_map", patch)
        raise ApiError(409, {})

    def look() -> None:
        known.append(world.controller.observed.config_maps[KEY].data["rate"])

    patch = world.cluster.patch_config_map

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        monkeypatch.setattr(world.cluster, "patch_config_map", late)
        upstream.date, upstream.rates = NEXT, {"USD": "1.20"}
        await asyncio.sleep(2 * HOUR_S)
        assert known == ["9"]
        assert world.cluster.data("rate")["rate"] == "1.20"

    world.run(story())


@pytest.mark.parametrize("late", [False, True], ids=["answered first", "shown first"])
def test_a_former_config_map_with_a_finalizer_is_deleted_once(monkeypatch: pytest.MonkeyPatch, *, late: bool) -> None:
    """It goes when somebody takes the finalizer away; until then nothing is missed, whatever comes first."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00"))
    delete = world.cluster.delete_config_map

    async def answered_late(seen: ConfigMap) -> None:
        await delete(seen)
        await asyncio.sleep(1.0 if late else 0.0)

    async def story() -> None:
        monkeypatch.setattr(world.cluster, "delete_config_map", answered_late)
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        world.cluster.bind("rate")
        world.cluster.edit("rate", target={"name": "other"})
        await asyncio.sleep(2.0)
        assert world.controller.observed.config_maps[KEY].deleting
        await hours_without_a_stall(world, 2)
        await world.restart()
        await hours_without_a_stall(world, 2)
        assert (world.cluster.ready("rate"), world.cluster.writes["delete"]) == ("Published", 1)
        world.cluster.lose("rate")
        await asyncio.sleep(HOUR_S)
        assert (world.cluster.data("rate"), world.cluster.writes["delete"]) == ({}, 1)

    world.run(story())


def test_a_former_config_map_that_may_not_be_deleted_is_told_and_keeps_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its name, for as long as it is so; it is deleted soon after it may be."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00"))
    delete = world.cluster.delete_config_map

    async def refused(seen: ConfigMap) -> None:
        if seen.key == KEY:
            raise ApiError(403, {"message": "a policy says no"})
        await delete(seen)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        with monkeypatch.context() as patched:
            patched.setattr(world.cluster, "delete_config_map", refused)
            for name in ("b", "c", "d", "e"):
                world.cluster.edit("rate", target={"name": name})
                await asyncio.sleep(HOUR_S)
            await hours_without_a_stall(world, 2)
            assert world.cluster.maps.keys() == {KEY, ObjectKey("default", "e")}
            assert world.cluster.ready("rate") == "TargetRefused"
            assert "the API server refused ConfigMap rate; " in world.cluster.message("rate")
        await asyncio.sleep(301.0)
        assert (world.cluster.data("rate"), world.cluster.ready("rate")) == ({}, "Published")

    world.run(story())


def test_a_config_map_that_is_going_is_kept_fresh_until_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who mounts it reads it as long as it is there; then it is made again."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00")
    world = World(monkeypatch, NOW, upstream)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        world.cluster.bind("rate")
        await asyncio.sleep(5.0)
        await world.cluster.delete_config_map(world.controller.observed.config_maps[KEY])
        world.cluster.writes.clear()
        await hours_without_a_stall(world, 2)
        assert world.cluster.writes.total() == 0
        upstream.date, upstream.rates = NEXT, {"USD": "1.20"}
        await hours_without_a_stall(world, 2)
        assert world.cluster.data("rate")["rate"] == "1.20"
        world.cluster.lose("rate")
        await asyncio.sleep(1.0)
        assert "finalizers" not in world.cluster.maps[KEY]["metadata"]
        assert world.cluster.data("rate")["rate"] == "1.20"

    world.run(story())


def test_an_immutable_config_map_that_is_going_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be made anew before it is gone, and somebody has to take the finalizer away."""
    world = World(monkeypatch, NOW, Archive("ecb", FRIDAY, USD="1.00"))

    async def refused(*_: object) -> Any:  # noqa: ANN401 - it gives nothing
        raise AssertionError("an immutable ConfigMap is not patched")

    async def story() -> None:
        monkeypatch.setattr(world.cluster, "patch_config_map", refused)
        world.cluster.add("rate", date="2024-06-28", target={"immutable": True})
        await asyncio.sleep(5.0)
        world.cluster.bind("rate")
        world.cluster.edit("rate", date="2024-06-21")
        await hours_without_a_stall(world, 2)
        assert (world.cluster.ready("rate"), world.cluster.writes["delete"]) == ("TargetRefused", 1)
        assert "metadata.finalizers" in world.cluster.message("rate")
        world.cluster.lose("rate")
        await asyncio.sleep(1.0)
        assert (world.cluster.ready("rate"), world.cluster.data("rate")["date"]) == ("Published", "2024-06-21")

    world.run(story())


def test_a_config_map_that_is_gone_unseen_is_made_again_when_a_write_finds_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a watch nor a list has told it yet."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00")
    world = World(monkeypatch, NOW, upstream)

    async def story() -> None:
        await asyncio.sleep(100.0)  # the next list is ten minutes away
        world.cluster.add("rate", refreshInterval="1m")
        await asyncio.sleep(5.0)
        world.cluster.maps.clear()
        upstream.date, upstream.rates = NEXT, {"USD": "1.20"}
        await asyncio.sleep(100.0)
        assert world.cluster.data("rate")["rate"] == "1.20"

    world.run(story())


def test_who_waits_for_a_name_is_woken_when_a_write_has_found_its_new_owner_before_the_watch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its ConfigMap is somebody else's by then; the watch's word of it comes late, and is news."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00")
    world = World(monkeypatch, NOW, upstream)
    patch, show = world.cluster.patch_config_map, world.cluster.watches

    def late(*event: Any) -> None:  # noqa: ANN401 - as `World.show` takes it
        asyncio.get_running_loop().call_later(1.0, show, *event)

    async def refused(*_: object) -> ConfigMap:
        monkeypatch.setattr(world.cluster, "patch_config_map", patch)
        world.cluster.watches = late
        world.cluster.hand_over("rate", "waits")
        world.cluster.watches = show
        raise ApiError(409, {})

    async def story() -> None:
        world.cluster.add("rate", refreshInterval="1m")
        await asyncio.sleep(5.0)
        world.cluster.add("waits", target={"name": "rate"}, refreshInterval="720h")
        await asyncio.sleep(3 * HOUR_S)
        assert world.cluster.ready("waits") == "TargetConflict"
        monkeypatch.setattr(world.cluster, "patch_config_map", refused)
        world.cluster.tamper("rate", rate="9")
        await asyncio.sleep(2.0)
        assert world.cluster.ready("waits") == "Published"
        await asyncio.sleep(10.0)
        assert world.cluster.ready("rate") == "TargetConflict"

    world.run(story())
