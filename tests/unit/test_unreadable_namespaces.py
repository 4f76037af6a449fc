"""One of the watched namespaces may not be read, as where its RoleBinding went with it: the others are served."""

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncIterator

import pytest
from tests.unit.upstreams import two_providers
from tests.unit.world import World

from exchangerates.errors import ApiError, ApiUnreachable
from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey

FRESH = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)
KEY = ObjectKey("default", "rate")


class Gate:
    """What the API server answers to a list in a namespace, instead of its objects; all of them are in `default`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, world: World) -> None:
        self.answers: dict[str, ApiError] = {}
        world.controller.informer.namespaces = ("lost", "default")
        self._cluster = world.cluster
        self._rates, self._maps = world.cluster.list_exchange_rates, world.cluster.list_config_maps
        monkeypatch.setattr(world.cluster, "list_exchange_rates", self.list_exchange_rates)
        monkeypatch.setattr(world.cluster, "list_config_maps", self.list_config_maps)

    async def list_exchange_rates(self, namespace: str, _: object) -> AsyncIterator[ExchangeRate]:
        """List, or raise."""
        self._pass(namespace)
        async for seen in self._rates(namespace):
            if seen.key.namespace == namespace:
                yield seen

    async def list_config_maps(self, namespace: str, _: object) -> AsyncIterator[ConfigMap]:
        """List; a Role may lack one kind alone."""
        async for seen in self._maps(namespace):
            if seen.key.namespace == namespace:
                yield seen

    def _pass(self, namespace: str) -> None:
        if namespace in self.answers:
            raise self.answers[namespace]


def forbidden(namespace: str) -> ApiError:
    """Give what an API server says where there is no Role."""
    return ApiError(403, {"message": f'cannot list resource "exchangerates" in the namespace "{namespace}"'})


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give what was logged of namespaces, with the level of it."""
    found = [record for record in caplog.records if record.getMessage().startswith("namespace ")]
    return [f"{record.levelname} {record.getMessage()}" for record in found]


def test_a_namespace_that_may_not_be_read_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start and at each list after, also for what no watch shows; it is told once, and once that it is over."""
    caplog.set_level(logging.INFO)
    world = World(monkeypatch, FRESH, *two_providers())
    gate = Gate(monkeypatch, world)
    gate.answers["lost"] = forbidden("lost")
    world.cluster.watches = lambda *_: None

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(30.0)
        assert world.controller.informer.listed.is_set()
        assert not world.controller.informer.in_step, "what was listed there of one kind was not taken up"
        assert world.cluster.ready("rate") == "Published"
        world.cluster.add("missed")
        await asyncio.sleep(1300.0)
        assert world.cluster.ready("missed") == "Published"
        del gate.answers["lost"]
        await asyncio.sleep(1300.0)

    world.run(story())
    refused, again = told(caplog)
    assert refused.startswith("WARNING namespace lost cannot be read")
    assert str(forbidden("lost")) in refused
    assert "watchNamespaces" in refused
    assert again == "INFO namespace lost can be read again"


def test_what_is_in_a_namespace_that_may_not_be_read_any_more_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was gone meanwhile is found when the namespace can be read again."""
    world = World(monkeypatch, FRESH, *two_providers())
    gate = Gate(monkeypatch, world)

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(30.0)
        known = world.controller.observed
        assert (KEY in known.exchange_rates, KEY in known.config_maps) == (True, True)
        gate.answers["default"] = forbidden("default")
        world.cluster.watches = lambda *_: None
        await asyncio.sleep(1300.0)
        assert (KEY in known.exchange_rates, KEY in known.config_maps) == (True, True)
        del gate.answers["default"], world.cluster.rates[KEY], world.cluster.maps[KEY]
        await asyncio.sleep(1300.0)
        assert (KEY in known.exchange_rates, KEY in known.config_maps) == (False, False)

    world.run(story())


@pytest.mark.parametrize(
    "answers",
    [
        {"lost": ApiUnreachable("no answer")},
        {"lost": ApiError(503, {})},
        {"lost": forbidden("lost"), "default": forbidden("default")},
    ],
    ids=["no answer", "an error of its own", "no namespace may be read"],
)
def test_the_start_waits_for_an_api_server_that_lets_nobody_read(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, ApiError]
) -> None:
    """That is an outage of all, and nothing of one namespace."""
    world = World(monkeypatch, FRESH, *two_providers())
    gate = Gate(monkeypatch, world)
    gate.answers |= answers

    async def story() -> None:
        world.cluster.add("rate")
        await asyncio.sleep(600.0)
        assert not world.controller.informer.listed.is_set()
        assert world.cluster.ready("rate") == ""
        gate.answers.clear()
        await asyncio.sleep(60.0)
        assert world.cluster.ready("rate") == "Published"

    world.run(story())
