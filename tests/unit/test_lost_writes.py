"""What is lost between two writes, or refused, or overtaken by its echo: nothing goes back."""

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.upstreams import Upstream, failing
from tests.unit.world import World

from exchangerates.api import APPROVE_ANNOTATION, REFRESH_ANNOTATION
from exchangerates.errors import ApiError, ApiUnreachable
from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey

FRIDAY = dt.date(2026, 10, 30)
NOW = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)
HOUR_S = 3600.0
NEXT = FRIDAY + dt.timedelta(days=1)


def test_a_refused_status_takes_no_rate_back_while_the_next_answer_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A repair in between serves what the ConfigMap has, not what the status still remembers."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00")
    world = World(monkeypatch, NOW, upstream)
    write, published = world.cluster.patch_status, list[str]()

    async def refused(*_: object) -> ExchangeRate:
        monkeypatch.setattr(world.cluster, "patch_status", write)
        upstream.delay_s = 25.0
        await asyncio.sleep(22.0)
        world.cluster.annotate("rate", REFRESH_ANNOTATION, "now")
        raise ApiError(409, {})

    async def story() -> None:
        world.cluster.add("rate", refreshInterval="1m")
        await asyncio.sleep(5.0)
        upstream.date, upstream.rates = NEXT, {"USD": "1.20"}
        monkeypatch.setattr(world.cluster, "patch_status", refused)
        for number in range(300):
            await asyncio.sleep(0.5)
            published.append(world.cluster.data("rate")["rate"])
            if upstream.delay_s and number % 10 == 0:
                world.cluster.annotate("rate", "example.com/note", str(number))
        assert published == sorted(published)
        assert published[-1] == "1.20"

    world.run(story())


def test_an_approval_whose_status_is_refused_once_is_published_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since when it is published does not change, nor is the ConfigMap written twice."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00")
    world = World(monkeypatch, NOW, upstream)
    write, since = world.cluster.patch_status, list[str]()

    async def refused(*_: object) -> ExchangeRate:
        since.append(world.cluster.data("rate")["publishedAt"])
        monkeypatch.setattr(world.cluster, "patch_status", write)
        raise ApiError(409, {})

    async def story() -> None:
        world.cluster.add("rate", maxChangePercent="5")
        await asyncio.sleep(5.0)
        upstream.date, upstream.rates = NEXT, {"USD": "2.00"}
        await asyncio.sleep(2 * HOUR_S)
        assert world.cluster.ready("rate") == "SpikeHeld"
        monkeypatch.setattr(world.cluster, "patch_status", refused)
        world.cluster.annotate("rate", APPROVE_ANNOTATION, "2.00")
        await asyncio.sleep(10.0)
        assert world.cluster.data("rate")["rate"] == "2.00"
        assert [world.cluster.data("rate")["publishedAt"]] == since

    world.run(story())


def test_what_nobody_quotes_any_more_is_told_once_however_often_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The echo of a status may come before the answer to its write, and then wakes the object: that is no news."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00", BGN="1.95583")
    world = World(monkeypatch, NOW, upstream)
    write = world.cluster.patch_status

    async def slow(owner: ExchangeRate, patch: Mapping[str, Any]) -> ExchangeRate:
        written = await write(owner, patch)
        await asyncio.sleep(0.3)
        return written

    async def story() -> None:
        monkeypatch.setattr(world.cluster, "patch_status", slow)
        world.cluster.add("rate", currency="BGN")
        await asyncio.sleep(5.0)
        upstream.date, upstream.rates = NEXT, {"USD": "1.00"}
        world.cluster.writes.clear()
        await asyncio.sleep(24 * HOUR_S)
        assert world.cluster.ready("rate") == "CurrencyNotSupported"
        assert world.cluster.writes["status"] == 1

    world.run(story())


@pytest.mark.parametrize("status", [0, 403, 429, 503])
def test_an_outage_of_the_api_server_is_over_soon_after_its_end(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """However long it was: a tenth of an hour of failures makes no pause of minutes."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00"))

    async def refused(*_: object) -> ExchangeRate:
        raise ApiError(status, {})

    async def story() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(world.cluster, "patch_status", refused)
            world.cluster.add("rate")
            await asyncio.sleep(0.1 * HOUR_S)
        await asyncio.sleep(20.0)
        assert world.cluster.ready("rate") == "Published"

    world.run(story())


def test_a_write_whose_answer_is_lost_is_no_reason_to_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ConfigMap has the new rate, and the operator does not know; until it does, nobody has a newer one."""
    first, second = Upstream("frankfurter", FRIDAY, USD="1.10"), failing(Upstream("ecb", FRIDAY, USD="1.15"))
    world = World(monkeypatch, NOW, first, second)
    write, published = world.cluster.patch_config_map, set[str]()

    async def unheard(key: ObjectKey, patch: Mapping[str, Any]) -> ConfigMap:
        await write(key, patch)
        published.add(world.cluster.data("rate")["publishedAt"])
        failing(first)
        second.error = None
        monkeypatch.setattr(world.cluster, "patch_config_map", write)
        monkeypatch.setattr(world.tables, "_sources", {"ecb": world.tables._sources["ecb"]})  # noqa: SLF001
        raise ApiUnreachable("the answer is lost")

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        first.date, first.rates = NEXT, {"USD": "1.20"}
        monkeypatch.setattr(world.cluster, "patch_config_map", unheard)
        for _ in range(4 * 60):
            await asyncio.sleep(60.0)
            assert world.cluster.data("rate")["rate"] in ("1.20" if published else "1.10")
        assert {world.cluster.data("rate")["publishedAt"]} == published

    world.run(story())


def test_a_status_that_fails_later_tells_what_was_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ConfigMap has the new rate, the status that should have said so was refused, and then nobody quotes it."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00", BGN="1.95")
    world = World(monkeypatch, NOW, upstream)

    async def refused(*_: object) -> ExchangeRate:
        upstream.rates = {"USD": "1.00"}
        raise ApiError(500, {})

    async def story() -> None:
        world.cluster.add("rate", currency="BGN")
        await asyncio.sleep(5.0)
        upstream.date, upstream.rates = NEXT, {"BGN": "1.96"}
        with monkeypatch.context() as patched:
            patched.setattr(world.cluster, "patch_status", refused)
            await asyncio.sleep(3 * HOUR_S)
        await asyncio.sleep(HOUR_S)
        assert (world.cluster.data("rate")["rate"], world.cluster.ready("rate")) == ("1.96", "CurrencyNotSupported")
        assert world.cluster.status("rate")["rates"][0]["rate"] == "1.96"

    world.run(story())
