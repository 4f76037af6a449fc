"""What is lost between two writes, overtaken by its echo, or gone while a list runs: nothing goes back."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Mapping
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


def test_a_restart_between_two_writes_takes_no_rate_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ConfigMap has the new rate, the status the old one; another object tells of a call that was just made."""
    upstream = Upstream("exchangeratesapi", FRIDAY, USD="1.10")
    upstream.least_interval_s = 8 * HOUR_S
    world = World(monkeypatch, NOW, upstream)
    write = world.cluster.patch_status

    async def lost(owner: ExchangeRate, patch: Mapping[str, Any]) -> ExchangeRate:
        if owner.key.name == "torn":
            raise ApiUnreachable("it ends here")
        return await write(owner, patch)

    async def story() -> None:
        world.cluster.add("whole")
        world.cluster.add("torn")
        await asyncio.sleep(5.0)
        upstream.date, upstream.rates = NEXT, {"USD": "1.20"}
        monkeypatch.setattr(world.cluster, "patch_status", lost)
        await asyncio.sleep(10 * HOUR_S)
        assert {world.cluster.data(name)["rate"] for name in ("whole", "torn")} == {"1.20"}
        await world.stop()
        monkeypatch.setattr(world.cluster, "patch_status", write)
        await world.restart()
        for _ in range(100):
            await asyncio.sleep(10.0)
            assert world.cluster.data("torn")["rate"] == "1.20"
        assert world.cluster.status("torn")["rates"][0]["rate"] == "1.20"

    world.run(story())


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


def test_a_config_map_that_goes_while_a_list_runs_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list still shows it; the watch has told that it is gone."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00"))

    async def slow(_: str | None) -> AsyncIterator[ExchangeRate]:
        for body in tuple(world.cluster.rates.values()):
            world.cluster.lose("rate")
            await asyncio.sleep(1.0)
            yield ExchangeRate.from_body(body)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        for _ in range(4):  # so that it is not put back at once
            world.cluster.tamper("rate", rate="9")
            await asyncio.sleep(20.0)
        with monkeypatch.context() as patched:
            patched.setattr(world.cluster, "list_exchange_rates", slow)
            await world.controller.informer._resync()  # noqa: SLF001 - at this moment
        await asyncio.sleep(400.0)
        assert world.cluster.data("rate")["rate"] == "1.00"

    world.run(story())


def test_an_owner_that_goes_while_a_list_runs_gets_no_config_map_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list shows it as it was before it had a status."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00"))
    key, before = ObjectKey("default", "rate"), dict[str, Any]()

    async def slow(_: str | None) -> AsyncIterator[ExchangeRate]:
        yield ExchangeRate.from_body(before)
        await asyncio.sleep(1.0)
        world.show("rate", "DELETED", world.cluster.rates.pop(key))
        world.cluster.lose("rate")
        await asyncio.sleep(0.5)

    async def story() -> None:
        await asyncio.sleep(5.0)
        world.cluster.add("rate")
        before.update(world.cluster.rates[key])
        with monkeypatch.context() as patched:
            patched.setattr(world.cluster, "list_exchange_rates", slow)
            await world.controller.informer._resync()  # noqa: SLF001 - at this moment
        await asyncio.sleep(5.0)
        assert world.cluster.writes["create"] == 1

    world.run(story())


def test_a_config_map_that_goes_before_its_own_creation_is_answered_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch has told of both; the answer comes last, and takes nothing back."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00"))
    create = world.cluster.create_config_map

    async def overtaken(body: Mapping[str, Any]) -> ConfigMap:
        made = await create(body)
        await asyncio.sleep(0.1)
        world.cluster.lose("rate")
        await asyncio.sleep(0.1)
        monkeypatch.setattr(world.cluster, "create_config_map", create)
        return made

    async def story() -> None:
        monkeypatch.setattr(world.cluster, "create_config_map", overtaken)
        world.cluster.add("rate")
        await asyncio.sleep(10.0)
        assert world.cluster.data("rate")["rate"] == "1.00"

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


@pytest.mark.parametrize("reopened", [False, True], ids=["soon after the start", "when a watch is opened anew"])
def test_the_end_of_a_config_map_that_no_watch_tells_is_found_soon(
    monkeypatch: pytest.MonkeyPatch, *, reopened: bool
) -> None:
    """Kopf lists anew then, and a list tells it nothing of what is gone; the next one of ours is ten minutes away."""
    world = World(monkeypatch, NOW, Upstream("frankfurter", FRIDAY, USD="1.00"))

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(100.0 if reopened else 5.0)
        for _ in range(2 if reopened else 1):
            world.controller.informer.watch_opened("/api/v1/configmaps")
        world.cluster.maps.clear()
        await asyncio.sleep(30.0)
        assert world.cluster.data("rate")["rate"] == "1.00"

    world.run(story())


def test_a_wish_that_comes_too_early_after_a_restart_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider may not be asked yet, and no table is there: it is not told to be fulfilled, and is soon."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00")
    world = World(monkeypatch, NOW, upstream)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        upstream.date, upstream.rates = NEXT, {"USD": "1.20"}
        await world.stop()
        world.cluster.annotate("rate", REFRESH_ANNOTATION, "now")
        await world.restart()
        await asyncio.sleep(2.0)
        assert "lastRefresh" not in world.cluster.status("rate")
        await asyncio.sleep(upstream.least_interval_s + 5.0)
        assert world.cluster.status("rate")["lastRefresh"]["request"] == "now"
        assert world.cluster.data("rate")["rate"] == "1.20"

    world.run(story())


@pytest.mark.parametrize("older", [False, True], ids=["no provider answers", "one answers with an older rate"])
@pytest.mark.parametrize(
    ("spec", "edit"),
    [
        pytest.param({}, {}, id="plain"),
        pytest.param({"maxChangePercent": "50"}, {}, id="maxChangePercent"),
        pytest.param({"minChangePercent": "0.5"}, {}, id="minChangePercent"),
        pytest.param({"base": "USD", "currency": "GBP"}, {}, id="cross"),
        pytest.param({"currency": None, "currencies": ["USD", "GBP"]}, {}, id="set"),
        pytest.param({"target": {"name": "former"}}, {"target": {}}, id="renamed"),
        pytest.param({"currency": "GBP"}, {"currency": "USD"}, id="another currency"),
        pytest.param({"suspend": True}, {"suspend": False}, id="published for the first time"),
    ],
)
def test_what_a_process_published_before_it_ended_is_known_to_the_next(
    monkeypatch: pytest.MonkeyPatch, spec: dict[str, object], edit: dict[str, object], *, older: bool
) -> None:
    """The ConfigMap has the new rate, the status the old one or none; whoever answers at the start has no newer one."""
    first, second = Upstream("frankfurter", FRIDAY, USD="1.10", GBP="0.80"), failing(Upstream("ecb", FRIDAY))
    world = World(monkeypatch, NOW, first, second)

    async def lost(*_: object) -> ExchangeRate:
        raise ApiUnreachable("it ends here")

    async def story() -> None:
        world.cluster.add("rate", **spec)
        await asyncio.sleep(5.0)
        first.date, first.rates = NEXT, {"USD": "1.20", "GBP": "0.81"}
        with monkeypatch.context() as patched:
            patched.setattr(world.cluster, "patch_status", lost)
            if edit:
                world.cluster.edit("rate", **edit)
            await asyncio.sleep(2 * HOUR_S)
            await world.stop()
        data = world.cluster.data("rate")
        assert data["date"] == NEXT.isoformat()
        assert NEXT.isoformat() not in str(world.cluster.status("rate"))
        failing(first)
        if older:
            second.error, second.rates = None, {"USD": "1.15", "GBP": "0.805"}
        world.cluster.writes.clear()
        await world.restart()
        await asyncio.sleep(5.0)
        assert (world.cluster.data("rate"), world.cluster.ready("rate")) == (data, "Published")
        assert world.cluster.status("rate")["rates"][0]["date"] == NEXT.isoformat()
        assert not {"create", "patch"} & world.cluster.writes.keys()

    world.run(story())


def test_what_others_wrote_while_nobody_looked_was_never_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API server knows who has set the quote; no provider has to answer for the right one to be put back."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.10")
    world = World(monkeypatch, NOW, upstream)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        data = world.cluster.data("rate")
        await world.stop()
        failing(upstream)
        forged = {"rate": "999", "date": NEXT.isoformat(), "publishedAt": "2026-10-30T16:00:09Z"}
        document = {"base": "EUR", "provider": "frankfurter", "currency": "USD", **forged, "derived": False}
        world.cluster.tamper("rate", **forged, quote=json.dumps(document))
        await asyncio.sleep(20.0)
        await world.restart()
        await asyncio.sleep(5.0)
        assert world.cluster.data("rate") == data

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


def test_a_restart_serves_what_is_new_and_changed_before_it_refreshes_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of rates have moved meanwhile, and each write takes its time."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00", GBP="0.80")
    world = World(monkeypatch, NOW, upstream)
    write = world.cluster.patch_status

    async def slow(owner: ExchangeRate, patch: Mapping[str, Any]) -> ExchangeRate:
        await asyncio.sleep(1.0)
        return await write(owner, patch)

    async def story() -> None:
        for number in range(400):
            world.cluster.add(f"rate-{number}")
        await asyncio.sleep(30.0)
        await world.stop()
        await asyncio.sleep(2 * HOUR_S)
        upstream.date, upstream.rates = NEXT, {"USD": "1.20", "GBP": "0.90"}
        monkeypatch.setattr(world.cluster, "patch_status", slow)
        world.cluster.add("new")
        world.cluster.edit("rate-399", currency="GBP")
        await world.restart()
        await asyncio.sleep(5.0)
        assert world.cluster.ready("new") == "Published"
        assert world.cluster.data("rate-399")["currency"] == "GBP"
        assert world.cluster.status("rate-200")["rates"][0]["rate"] == "1.00", "the others still wait"
        await asyncio.sleep(60.0)
        assert {world.cluster.data(f"rate-{number}")["rate"] for number in range(399)} == {"1.20"}

    world.run(story())
