"""Somebody else who writes the status at the same moment, or all the time, such as a second operator."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from tests.unit.upstreams import two_providers
from tests.unit.world import World

from exchangerates.api import REFRESH_ANNOTATION
from exchangerates.objects import ExchangeRate, ObjectKey

SATURDAY = dt.datetime(2026, 10, 31, 10, tzinfo=dt.UTC)
KEY = ObjectKey("default", "rate")


def test_a_forged_status_is_no_memory_while_the_own_write_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The forger is faster than the answer to the operator's own write: the next pass looks at what it wrote itself."""
    world = World(monkeypatch, SATURDAY, *two_providers())
    real, forged = world.cluster.patch_status, False

    async def patch(owner: ExchangeRate, patch: Any) -> Any:  # noqa: ANN401
        nonlocal forged
        written = await real(owner, patch)
        if not forged:
            forged = True
            world.cluster.forge_status("rate", rate="999", date="2026-10-31")
            await asyncio.sleep(0.1)
        return written

    monkeypatch.setattr(world.cluster, "patch_status", patch)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        assert world.cluster.data("rate")["rate"] == "1.1172"
        assert world.cluster.status("rate")["rates"][0]["rate"] == "1.1172"

    world.run(story())


@pytest.mark.parametrize("again", [False, True], ids=["gone", "made again"])
def test_an_object_that_ends_while_its_status_is_written_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    """It is not known any more, and what was written of it is not the memory of the next one of its name."""
    world = World(monkeypatch, SATURDAY, *two_providers())
    real = world.cluster.patch_status

    async def patch(owner: ExchangeRate, patch: Any) -> Any:  # noqa: ANN401
        written = await real(owner, patch)
        if written.uid == "uid-rate":
            await asyncio.sleep(0.1)
            gone = world.cluster.rates.pop(KEY)
            world.controller.informer.watch_exchange_rate("DELETED", gone)
            if again:
                world.cluster.add("rate", uid="uid-next", provider="ecb")
                await asyncio.sleep(0.1)
        return written

    monkeypatch.setattr(world.cluster, "patch_status", patch)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(1.0)
        known = world.controller.observed.exchange_rates.values()
        assert [(seen.uid, "configMapName" in seen.remembered) for seen in known] == [("uid-next", False)] * again

    world.run(story())


def test_who_keeps_writing_the_status_is_not_fought_hot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a second operator: after a few answers they come rarely, and the object's own refresh is not delayed."""
    first, second = two_providers()
    world = World(monkeypatch, SATURDAY, first, second)

    async def story() -> None:
        world.cluster.add("rate", refreshInterval="10m")
        await asyncio.sleep(5.0)
        for _ in range(6000):
            if world.cluster.status("rate")["rates"][0]["rate"] != "999":
                world.cluster.forge_status("rate", rate="999")
            await asyncio.sleep(0.1)
        assert world.cluster.writes["status"] <= 20
        await asyncio.sleep(60.0)
        assert first.calls == 2
        await asyncio.sleep(600.0)
        assert world.cluster.data("rate")["rate"] == "1.1172"

    world.run(story())


def test_two_operators_that_agree_come_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody should run two over the same objects; who does has right rates, and no writes without an end."""
    world = World(monkeypatch, SATURDAY, *two_providers())
    other = World(monkeypatch, SATURDAY, *two_providers(), cluster=world.cluster)

    def show(*event: Any) -> None:  # noqa: ANN401
        world.show(*event)
        other.show(*event)

    world.cluster.watches = show

    async def story() -> None:
        other.start()
        names = [f"rate-{number}" for number in range(20)]
        for name in names:
            world.cluster.add(name, refreshInterval="10m")
        await asyncio.sleep(1800.0)
        world.cluster.writes.clear()
        await asyncio.sleep(3 * 3600.0)
        assert world.cluster.writes.total() == 0
        for upstream in (*world.upstreams, *other.upstreams):
            upstream.rates, upstream.date = {"USD": "1.2"}, SATURDAY.date()
        await asyncio.sleep(1800.0)
        assert {world.cluster.data(name)["rate"] for name in names} == {"1.2"}
        world.cluster.writes.clear()
        await asyncio.sleep(3 * 3600.0)
        assert world.cluster.writes.total() == 0
        await other.stop()

    world.run(story())


def test_a_former_status_that_is_restored_while_the_own_write_is_under_way_does_not_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is what the operator remembers until its own write is answered, and so, no news when it comes."""
    first, second = two_providers()
    world = World(monkeypatch, SATURDAY, first, second)
    real = world.cluster.patch_status

    async def patch(owner: ExchangeRate, patch: Any) -> Any:  # noqa: ANN401
        former = world.cluster.status("rate")
        written = await real(owner, patch)
        if former:
            monkeypatch.setattr(world.cluster, "patch_status", real)
            world.cluster.replace_status("rate", former)
            await asyncio.sleep(0.1)
        return written

    monkeypatch.setattr(world.cluster, "patch_status", patch)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(60.0)
        for first.rates, reason in (({"USD": "1.2"}, "Published"), ({}, "CurrencyNotSupported")):
            second.rates = first.rates
            monkeypatch.setattr(world.cluster, "patch_status", patch)
            world.cluster.annotate("rate", REFRESH_ANNOTATION, reason)
            await asyncio.sleep(60.0)
            assert world.cluster.ready("rate") == reason
            assert world.cluster.status("rate")["rates"][0]["rate"] == world.cluster.data("rate")["rate"] == "1.2"

    world.run(story())
