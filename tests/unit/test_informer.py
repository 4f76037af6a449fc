"""A whole operator on a cluster in memory: what lists and watches show, and what a deaf watch does not."""

import asyncio
import datetime as dt

import pytest
from tests.unit.upstreams import two_providers
from tests.unit.world import World

from exchangerates.api import KIND
from exchangerates.objects import ObjectKey

FRESH = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)


def test_what_only_lists_show_is_served_and_tells_a_deaf_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the resync interval; where lists alone bring news, liveness fails, until the watch speaks."""
    world = World(monkeypatch, FRESH, *two_providers())
    deaf = ["the watch of ExchangeRates is deaf"]

    async def story() -> None:
        await asyncio.sleep(1.0)
        show, world.cluster.watches = world.cluster.watches, lambda *_: None
        world.cluster.add("first")
        await asyncio.sleep(700.0)
        assert world.cluster.ready("first") == "Published"
        assert world.controller.problems() == [], "one miss is none: Kopf has made the watch anew by then"
        world.cluster.add("second")
        world.controller.informer.watch_exchange_rate(None, world.cluster.rates[ObjectKey("default", "second")])
        assert world.controller.problems() == deaf, "what Kopf lists when it makes a watch anew is not the watch's word"
        world.cluster.watches = show
        world.cluster.add("third")
        await asyncio.sleep(1.0)
        assert world.controller.problems() == []

    world.run(story())


def test_a_watch_that_was_made_anew_in_time_is_not_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows what comes after the list that it was made with."""
    world = World(monkeypatch, FRESH, *two_providers())

    async def story() -> None:
        await asyncio.sleep(1.0)
        show, world.cluster.watches = world.cluster.watches, lambda *_: None
        world.cluster.add("missed")
        world.controller.informer.watch_exchange_rate(None, world.cluster.rates[ObjectKey("default", "missed")])
        world.cluster.watches = show
        await asyncio.sleep(300.0)
        world.controller.informer.watch_exchange_rate(None, world.cluster.rates[ObjectKey("default", "missed")])
        world.cluster.watches = lambda *_: None
        world.cluster.add("missed-too")
        world.controller.informer.watch_exchange_rate(None, world.cluster.rates[ObjectKey("default", "missed-too")])
        assert world.controller.problems() == []

    world.run(story())


def test_an_echo_is_no_news_but_shows_that_the_watch_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operator knows already, such as its own writes, is not taken up again."""
    world = World(monkeypatch, FRESH, *two_providers())
    deaf = ["the watch of ExchangeRates is deaf"]

    async def story() -> None:
        await asyncio.sleep(1.0)
        world.cluster.watches = lambda *_: None
        for heard in (True, False):
            world.cluster.add(f"one-{heard}")
            body = world.cluster.rates[ObjectKey("default", f"one-{heard}")]
            assert world.controller.informer.is_news(KIND, "ADDED", body)
            await asyncio.sleep(700.0)
            body = world.cluster.rates[ObjectKey("default", f"one-{heard}")]
            if heard:
                assert not world.controller.informer.is_news(KIND, "MODIFIED", body)
            assert not world.controller.informer.is_news(KIND, None, body)
            assert world.controller.informer.is_news(KIND, "DELETED", body)
            world.cluster.add(f"other-{heard}")
            await asyncio.sleep(700.0)
            assert world.controller.problems() == ([] if heard else deaf)

    world.run(story())


def test_the_echo_of_a_write_is_known_by_its_version_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows that the watch hears; and what is not known any more is no echo."""
    world = World(monkeypatch, FRESH, *two_providers())
    informer, key = world.controller.informer, ObjectKey("default", "rate")

    async def story() -> None:
        await asyncio.sleep(1.0)
        world.cluster.add("rate")
        world.cluster.watches = lambda *_: None
        await asyncio.sleep(1.0)
        rate, held = (
            int(kind[key]["metadata"]["resourceVersion"]) for kind in (world.cluster.rates, world.cluster.maps)
        )
        for since in (0.0, 100.0):
            informer._hearing.missed("ExchangeRates", since)  # noqa: SLF001 - as two lists would
        assert world.controller.problems() == ["the watch of ExchangeRates is deaf"]
        assert not informer.is_echo("ConfigMap", rate), "each kind may count by itself"
        assert [informer.is_echo(KIND, version) for version in (rate, rate, rate + 1)] == [True, False, False]
        assert world.controller.problems() == []
        world.controller.observed.drop_config_map(key)
        assert not informer.is_echo("ConfigMap", held), "its label was taken, and set again"

    world.run(story())


def test_an_object_that_is_gone_from_the_lists_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lost DELETED event makes no ConfigMap again, and costs nothing."""
    world = World(monkeypatch, FRESH, *two_providers())

    async def story() -> None:
        world.cluster.add("gone", refreshInterval="1m")
        await asyncio.sleep(10.0)
        key = ObjectKey("default", "gone")
        del world.cluster.rates[key], world.cluster.maps[key]
        world.cluster.writes.clear()
        await asyncio.sleep(3600.0)
        assert world.cluster.writes.total() == 0
        assert world.controller.observed.exchange_rates == {}
        assert world.controller.agenda.reasons() == {}

    world.run(story())
