"""A status that somebody else writes: it is put back as it was, and nothing of it is ever published."""

import asyncio
import datetime as dt

import pytest
from tests.unit.upstreams import failing, two_providers
from tests.unit.world import World

from exchangerates.api import APPROVE_ANNOTATION
from exchangerates.objects import ObjectKey

SATURDAY = dt.datetime(2026, 10, 31, 10, tzinfo=dt.UTC)
KEY = ObjectKey("default", "rate")


@pytest.mark.parametrize("down", [False, True], ids=["well", "no provider answers"])
@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="plain"),
        pytest.param({"maxChangePercent": "5"}, id="maxChangePercent"),
        pytest.param({"minChangePercent": "1"}, id="minChangePercent"),
    ],
)
@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"rate": "999"}, id="of the quoted day"),
        pytest.param({"rate": "999", "date": "2026-10-31"}, id="of today"),
        pytest.param({"rate": "1.118", "date": "2026-10-31"}, id="of today, almost the same"),
        pytest.param({"rate": "999", "date": "2026-11-01"}, id="of tomorrow"),
        pytest.param({"rate": "none"}, id="no rate at all"),
        pytest.param({"publishedAt": "2026-10-30T17:00:00Z"}, id="published earlier"),
    ],
)
def test_a_forged_rate_is_never_published(
    monkeypatch: pytest.MonkeyPatch, forged: dict[str, str], spec: dict[str, object], *, down: bool
) -> None:
    """The status is as it was at once, to the letter, and nothing else was written or asked: memory knows better."""
    first, second = two_providers()
    world = World(monkeypatch, SATURDAY, first, second)

    async def story() -> None:
        world.cluster.add("rate", **spec)
        await asyncio.sleep(5.0)
        status, held = world.cluster.status("rate"), world.cluster.maps[KEY]
        world.cluster.writes.clear()
        if down:
            failing(first)
            failing(second)
        world.cluster.forge_status("rate", **forged)
        await asyncio.sleep(1.0)
        assert world.cluster.status("rate") == status
        assert world.cluster.maps[KEY] == held
        assert (world.cluster.writes, first.calls, second.calls) == ({"status": 1}, 1, 0)
        await asyncio.sleep(3 * 3600.0)
        assert (world.cluster.status("rate"), world.cluster.maps[KEY]) == (status, held)

    world.run(story())


def test_a_forged_hold_is_never_approved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the object has just that approval; and a real one that is forged away is held again."""
    first, second = two_providers()
    world = World(monkeypatch, SATURDAY, first, second)

    async def story() -> None:
        world.cluster.add("rate", maxChangePercent="5", refreshInterval="1m", provider="frankfurter")
        await asyncio.sleep(5.0)
        world.cluster.annotate("rate", APPROVE_ANNOTATION, "999")
        entry = {**world.cluster.status("rate")["rates"][0], "rate": "999", "date": "2026-10-31"}
        hold = {"provider": "frankfurter", "since": "2026-10-31T09:00:00Z", "approval": "999", "rates": [entry]}
        world.cluster.replace_status("rate", {**world.cluster.status("rate"), "held": hold})
        await asyncio.sleep(300.0)
        assert world.cluster.data("rate")["rate"] == "1.1172"
        assert "held" not in world.cluster.status("rate")

        first.rates = {"USD": "1.3"}
        await asyncio.sleep(120.0)
        held = world.cluster.status("rate")
        assert (held["held"]["approval"], world.cluster.ready("rate")) == ("1.3", "SpikeHeld")
        world.cluster.replace_status("rate", {name: value for name, value in held.items() if name != "held"})
        await asyncio.sleep(1.0)
        assert world.cluster.status("rate") == held
        assert world.cluster.data("rate")["rate"] == "1.1172"

    world.run(story())


def test_a_rate_that_is_forged_into_a_failed_status_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider answers and nothing is published: neither is what somebody says was."""
    first, second = (failing(upstream) for upstream in two_providers())
    world = World(monkeypatch, SATURDAY, first, second)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(60.0)
        assert world.cluster.ready("rate") == "ProviderUnavailable"
        status = world.cluster.status("rate")
        entry = {"currency": "USD", "rate": "999", "date": "2026-10-31", "derived": False}
        world.cluster.replace_status("rate", {**status, "base": "EUR", "provider": "ecb", "rates": [entry]})
        await asyncio.sleep(60.0)
        assert (world.cluster.status("rate"), world.cluster.data("rate")) == (status, {})

    world.run(story())


def test_a_forged_condition_is_put_back_without_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready never turned, and its transition time says so."""
    world = World(monkeypatch, SATURDAY, *two_providers())

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        status = world.cluster.status("rate")
        ready = {**status["conditions"][0], "status": "False", "reason": "TargetConflict", "lastTransitionTime": "x"}
        world.cluster.replace_status("rate", {**status, "conditions": [ready]})
        await asyncio.sleep(5.0)
        assert world.cluster.status("rate") == status
        assert world.cluster.writes == {"create": 1, "status": 2}

    world.run(story())


def test_status_and_config_map_that_are_forged_alike_are_both_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three do not outvote what the operator has published."""
    world = World(monkeypatch, SATURDAY, *two_providers())

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        status, data = world.cluster.status("rate"), world.cluster.data("rate")
        world.cluster.tamper("rate", rate="999", date="2026-10-31")
        world.cluster.forge_status("rate", rate="999", date="2026-10-31")
        await asyncio.sleep(1.0)
        assert (world.cluster.status("rate"), world.cluster.data("rate")) == (status, data)

    world.run(story())


def test_what_nobody_can_have_quoted_yet_is_no_memory_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator takes up the status that it finds, but not a date of the future."""
    world = World(monkeypatch, SATURDAY, *two_providers())

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(5.0)
        await world.stop()
        world.cluster.forge_status("rate", rate="999", date="2099-01-01")
        await world.restart()
        await asyncio.sleep(5.0)
        assert world.cluster.status("rate")["rates"][0]["rate"] == "1.1172"
        assert world.cluster.data("rate")["rate"] == "1.1172"

    world.run(story())
