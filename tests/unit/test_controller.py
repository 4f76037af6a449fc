"""A whole operator on a cluster in memory: hours of an outage, repairs, and what nobody foresaw."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from tests.unit.upstreams import FRIDAY, failing, two_providers
from tests.unit.world import World

from exchangerates.controller import WORKERS
from exchangerates.errors import ApiUnreachable
from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey
from exchangerates.schedule import DUE_AT_ONCE, Schedule

MAX_AGE_H = 168
SOON_STALE = dt.datetime(2026, 10, 30, tzinfo=dt.UTC) + dt.timedelta(hours=MAX_AGE_H - 1.25)
FRESH = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)
OBJECTS = WORKERS + 5
"""More than there are passes at once."""


def test_an_outage_is_told_once_per_object_and_only_when_rates_are_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour without any provider: no write until `maxAge`, then one status and event per object; back the same."""
    first, second = two_providers()
    world = World(monkeypatch, SOON_STALE, first, second, rest_s=3600.0)
    writes = world.cluster.writes

    async def story() -> None:
        for number in range(OBJECTS):
            world.cluster.add(f"rate-{number}", refreshInterval="1m")
        await asyncio.sleep(30.0)
        assert (writes["create"], writes["status"], first.calls, second.calls) == (OBJECTS, OBJECTS, 1, 0)
        writes.clear()
        failing(first)
        failing(second)
        await asyncio.sleep(1.2 * 3600)
        assert writes.total() == 0
        assert first.calls <= 15, "an outage is no reason to call more often than every ten minutes or so"
        assert {world.cluster.ready(f"rate-{number}") for number in range(OBJECTS)} == {"Published"}

        await asyncio.sleep(900.0)
        events = [name for name in writes if name.startswith("event")]
        assert writes["status"] == OBJECTS
        assert len(events) == OBJECTS
        assert all(" RateTooOld " in name and "Warning" in name and writes[name] == 1 for name in events)
        assert {world.cluster.ready(f"rate-{number}") for number in range(OBJECTS)} == {"RateTooOld"}

        writes.clear()
        first.error, first.date, first.rates = None, dt.date(2026, 11, 6), {"USD": "1.2"}
        await asyncio.sleep(60.0)
        events = [name for name in writes if name.startswith("event")]
        assert (writes["patch"], writes["status"], len(events)) == (OBJECTS, OBJECTS, OBJECTS)
        assert all("Normal Published " in name and writes[name] == 1 for name in events)

    world.run(story())


def test_a_new_rate_is_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events tell of transitions of Ready: ten days of new rates are ten writes of each kind and no event."""
    first, second = two_providers()
    world = World(monkeypatch, FRESH, first, second)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        for day in range(1, 11):
            first.date, first.rates = FRIDAY + dt.timedelta(days=day), {"USD": f"1.{day}"}
            await asyncio.sleep(24 * 3600.0)
        assert world.cluster.writes == {"create": 1, "patch": 10, "status": 11}

    world.run(story())


def test_what_nobody_foresaw_has_a_reason_and_is_tried_again_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """One object's misfortune: the others are served, and it comes right by itself."""
    first, second = two_providers()
    world = World(monkeypatch, FRESH, first, second)
    tries, real = 0, world.cluster.create_config_map

    async def create(body: Any) -> Any:  # noqa: ANN401
        nonlocal tries
        if body["metadata"]["name"] == "unlucky" and tries < 12:
            tries += 1
            raise ZeroDivisionError
        return await real(body)

    monkeypatch.setattr(world.cluster, "create_config_map", create)

    async def story() -> None:
        world.cluster.add("unlucky")
        world.cluster.add("lucky")
        await asyncio.sleep(3.0)
        assert world.cluster.ready("lucky") == "Published"
        assert world.cluster.ready("unlucky") == "InternalError"
        assert world.cluster.writes["status"] == 2
        await asyncio.sleep(600.0)
        assert 5 <= tries <= 10, "the pauses grow"
        await asyncio.sleep(3600.0)
        assert world.cluster.ready("unlucky") == "Published"
        assert world.cluster.writes["event Warning InternalError unlucky"] == 1

    world.run(story())


def test_a_repair_waits_for_no_rate_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a refresh waits for a slow answer, what is published serves; the answer comes in all the same."""
    first, second = two_providers()
    world = World(monkeypatch, FRESH, first, second)
    key = ObjectKey("default", "rate")

    async def story() -> None:
        world.cluster.add("rate", refreshInterval="1m")
        await asyncio.sleep(5.0)
        first.delay_s, first.rates = 25.0, {"USD": "1.2"}
        await asyncio.sleep(61.0)
        assert first.calls == 2
        gone = ConfigMap.from_body(world.cluster.maps.pop(key))
        world.controller.informer.watch_config_map("DELETED", {"metadata": _metadata(gone), "data": dict(gone.data)})
        await asyncio.sleep(2.0)
        assert world.cluster.maps[key]["data"]["rate"] == "1.1172"
        await asyncio.sleep(25.0)
        assert world.cluster.maps[key]["data"]["rate"] == "1.2"
        assert (first.calls, second.calls) == (2, 0)

    world.run(story())


def test_a_refresh_of_all_leaves_room_for_who_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API server is slow, and every rate has changed: so many are written at once; a new object waits for none."""
    first, second = two_providers()
    world = World(monkeypatch, FRESH, first, second)
    at_once, most, asked = 0, 0, 0
    real, pop = world.cluster.patch_config_map, Schedule.pop

    async def patch(key: ObjectKey, body: Any) -> Any:  # noqa: ANN401
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(5.0)
        at_once -= 1
        return await real(key, body)

    def counted(schedule: Schedule[ObjectKey], now: float) -> ObjectKey | None:
        nonlocal asked
        asked += 1
        return pop(schedule, now)

    monkeypatch.setattr(world.cluster, "patch_config_map", patch)
    monkeypatch.setattr(Schedule, "pop", counted)

    async def story() -> None:
        nonlocal asked
        for number in range(OBJECTS):
            world.cluster.add(f"rate-{number}", refreshInterval="1m")
        await asyncio.sleep(30.0)
        assert world.cluster.writes["create"] == OBJECTS
        first.date, first.rates = dt.date(2026, 11, 2), {"USD": "1.2"}
        await asyncio.sleep(34.5)  # the intervals end within three seconds
        assert (at_once, most) == (DUE_AT_ONCE, DUE_AT_ONCE)
        asked = 0
        world.cluster.add("new")
        await asyncio.sleep(0.4)
        assert world.cluster.ready("new") == "Published"
        assert asked <= 5, "nothing is asked for again and again"
        await asyncio.sleep(20.0)
        assert (at_once, most, world.cluster.writes["patch"]) == (0, DUE_AT_ONCE, OBJECTS)

    world.run(story())


def test_an_edit_that_comes_while_the_status_is_written_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The write is refused, since it was decided on what the object was before; the edit is served at once."""
    first, second = two_providers()
    first.rates["GBP"] = "0.8338"
    world = World(monkeypatch, FRESH, first, second)
    real, edited = world.cluster.patch_status, False

    async def patch(owner: ExchangeRate, patch: Any) -> Any:  # noqa: ANN401
        nonlocal edited
        if not edited:
            edited = True
            world.cluster.edit("rate", currency="GBP")
        return await real(owner, patch)

    monkeypatch.setattr(world.cluster, "patch_status", patch)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        key = ObjectKey("default", "rate")
        assert world.cluster.maps[key]["data"]["currency"] == "GBP"
        assert world.cluster.rates[key]["status"]["observedGeneration"] == 2

    world.run(story())


def test_passes_that_the_api_server_refuses_are_counted_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by the reason of the pass before."""
    world = World(monkeypatch, FRESH, *two_providers())

    async def down(*_: object, **__: object) -> Any:  # noqa: ANN401
        raise ApiUnreachable("no answer")

    async def story() -> None:
        monkeypatch.setattr(world.cluster, "create_config_map", down)
        world.cluster.add("rate")
        await asyncio.sleep(60.0)
        text = world.scraped()
        assert 'exchangerates_reconciles_total{reason="ApiError"}' in text
        assert 'reason="Published"' not in text

    world.run(story())


def test_more_than_a_thousand_failures_in_a_row_overflow_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a provider, in hours, and of an object, in days; both come right by themselves."""
    first, second = (failing(upstream) for upstream in two_providers())
    world = World(monkeypatch, FRESH, first, second)

    async def story() -> None:
        world.cluster.add("rate", maxAge="720h")
        await asyncio.sleep(7 * 3600.0)
        assert 1024 < first.calls <= 7 * 3600 / 20.0, "and never more often than the least interval allows"
        first.error = None
        await asyncio.sleep(60.0)
        assert world.cluster.ready("rate") == "Published"

        world.cluster.add("contender", maxAge="720h", target={"name": "rate"})
        await asyncio.sleep(5 * 24 * 3600.0)
        assert world.cluster.ready("contender") == "TargetConflict"
        memory = world.controller.agenda.memory(ObjectKey("default", "contender"))
        assert memory is not None
        assert memory.failures > 1024
        assert world.controller.problems() == []

    world.run(story())


def _metadata(seen: ConfigMap) -> dict[str, Any]:
    """Give the metadata of a ConfigMap's last event."""
    owner = {"kind": "ExchangeRate", "name": seen.owner_name, "uid": seen.owner_uid, "controller": True}
    names = {"namespace": seen.key.namespace, "name": seen.key.name, "uid": seen.uid}
    return {**names, "resourceVersion": str(seen.resource_version + 1), "ownerReferences": [owner]}
