"""What becomes of a published rate while no newer one is to be had, and of the wish for one."""

import asyncio
import datetime as dt
from collections.abc import Callable

import pytest
from tests.unit.memory_cluster import MemoryCluster
from tests.unit.upstreams import Upstream, failing, two_providers
from tests.unit.world import World

from exchangerates.api import REFRESH_ANNOTATION

FRIDAY = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)
HOUR_S, DAY_S = 3600.0, 86400.0


def tampered(cluster: MemoryCluster) -> None:
    """Somebody writes another rate."""
    cluster.tamper("rate", rate="999")


def lost(cluster: MemoryCluster) -> None:
    """Somebody deletes the ConfigMap."""
    cluster.lose("rate")


def quoting(*upstreams: Upstream, **rates: str) -> None:
    """Have the providers quote these rates alone."""
    for upstream in upstreams:
        upstream.error, upstream.rates = None, rates


@pytest.mark.parametrize("damage", [tampered, lost])
def test_a_currency_that_is_quoted_no_more_keeps_its_rate(
    monkeypatch: pytest.MonkeyPatch, damage: Callable[[MemoryCluster], None]
) -> None:
    """What was published is put back while the object says that nobody quotes its currency."""
    providers = two_providers()
    world = World(monkeypatch, FRIDAY, *providers, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", refreshInterval="1m")
        await asyncio.sleep(100.0)
        published = world.cluster.data("rate")
        quoting(*providers, GBP="0.8338")
        await asyncio.sleep(200.0)
        assert world.cluster.ready("rate") == "CurrencyNotSupported"
        damage(world.cluster)
        await asyncio.sleep(60.0)
        assert world.cluster.data("rate") == published
        assert world.cluster.ready("rate") == "CurrencyNotSupported"

    world.run(story())


@pytest.mark.parametrize(
    "edited", [{"target": {"name": "taken", "key": "price"}}, {"target": {"labels": {"a b": "c"}}}, {"currency": "XXX"}]
)
def test_an_old_rate_is_withdrawn_whatever_else_is_wrong(
    monkeypatch: pytest.MonkeyPatch, edited: dict[str, object]
) -> None:
    """Also where a name is not to be had, a label is wrong, or the pair is quoted by nobody; Stale says so."""
    world = World(monkeypatch, FRIDAY, *two_providers(), rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("other", target={"name": "taken"})
        world.cluster.add("rate", maxAge="72h", onStale="Withdraw", target={"key": "amount"})
        await asyncio.sleep(100.0)
        world.cluster.edit("rate", **edited)
        await asyncio.sleep(DAY_S)
        assert world.cluster.data("rate")["amount"] == "1.1172"
        assert world.cluster.stale("rate") == "False"
        await asyncio.sleep(3 * DAY_S)
        assert "amount" not in world.cluster.data("rate")
        assert world.cluster.stale("rate") == "True"

    world.run(story())


def test_stale_says_nothing_of_a_rate_that_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pair is quoted by nobody, and the ConfigMap of the former one gone: there is nothing to be old."""
    world = World(monkeypatch, FRIDAY, *two_providers(), rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", maxAge="72h")
        await asyncio.sleep(100.0)
        world.cluster.edit("rate", currency="XXX")
        await asyncio.sleep(100.0)
        assert world.cluster.stale("rate") == "False"
        world.cluster.lose("rate")
        await asyncio.sleep(100.0)
        assert world.cluster.stale("rate") == ""

    world.run(story())


@pytest.mark.parametrize("restarted", [False, True])
def test_a_wish_is_kept_until_a_provider_has_answered(monkeypatch: pytest.MonkeyPatch, *, restarted: bool) -> None:
    """It is acknowledged when a look fails, and fulfilled when the provider answers again, long before the interval."""
    provider, _ = two_providers()
    world = World(monkeypatch, FRIDAY, provider, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", refreshInterval="24h")
        await asyncio.sleep(HOUR_S)
        failing(provider)
        world.cluster.annotate("rate", REFRESH_ANNOTATION, "now")
        await asyncio.sleep(HOUR_S)
        assert world.cluster.status("rate")["lastRefresh"]["request"] == "now"
        if restarted:
            await world.restart()
            await asyncio.sleep(HOUR_S)
        assert world.cluster.ready("rate") == "Published"
        calls = provider.calls
        quoting(provider, USD="1.2000")
        await asyncio.sleep(HOUR_S)
        assert world.cluster.data("rate")["rate"] == "1.2000"
        await asyncio.sleep(20 * HOUR_S)
        assert provider.calls == calls + 1

    world.run(story())


def test_who_asks_seldom_looks_more_often_once_its_rate_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """A month between two looks, a week for a rate to grow old: then it is looked for by itself, as told."""
    provider, _ = two_providers()
    world = World(monkeypatch, FRIDAY, provider, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", refreshInterval="720h", maxAge="168h")
        await asyncio.sleep(8 * DAY_S)
        assert world.cluster.ready("rate") == "RateTooOld"
        assert provider.calls < 50
        provider.date = world.now().date()
        quoting(provider, USD="1.2000")
        await asyncio.sleep(2 * HOUR_S)
        assert world.cluster.data("rate")["rate"] == "1.2000"
        assert world.cluster.ready("rate") == "Published"
        calls = provider.calls
        await asyncio.sleep(5 * DAY_S)
        assert provider.calls == calls
        world.cluster.add("new", refreshInterval="720h", maxAge="168h")
        await asyncio.sleep(HOUR_S)
        assert provider.calls == calls + 1

    world.run(story())


@pytest.mark.parametrize("restarted", [False, True])
def test_a_rate_is_renewed_when_somebody_more_urgent_is_answered(
    monkeypatch: pytest.MonkeyPatch, *, restarted: bool
) -> None:
    """After a long outage a provider is left alone for minutes by who has a rate, and asked by who has none."""
    provider, _ = two_providers()
    world = World(monkeypatch, FRIDAY, provider, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", refreshInterval="1m")
        await asyncio.sleep(100.0)
        failing(provider)
        await asyncio.sleep(HOUR_S)
        if restarted:
            await world.restart()
            await asyncio.sleep(HOUR_S)
        calls = provider.calls
        for _ in range(700):  # until it was asked once more in vain, and is left alone again
            await asyncio.sleep(1.0)
            if provider.calls > calls:
                break
        world.cluster.add("urgent", currency="GBP")
        await asyncio.sleep(30.0)
        quoting(provider, USD="1.2000", GBP="0.8000")
        await asyncio.sleep(100.0)
        assert world.cluster.data("urgent")["rate"] == "0.8000"
        assert world.cluster.data("rate")["rate"] == "1.2000"

    world.run(story())


def test_a_forged_rate_of_days_to_come_is_not_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written into the status while the operator was down, for a currency that nobody quotes."""
    providers = two_providers()
    world = World(monkeypatch, FRIDAY, *providers, rest_s=HOUR_S)

    async def story() -> None:
        world.cluster.add("rate", refreshInterval="1m")
        await asyncio.sleep(100.0)
        await world.stop()
        quoting(*providers, GBP="0.8338")
        world.cluster.forge_status("rate", rate="999", date="2027-01-01")
        await world.restart()
        await asyncio.sleep(300.0)
        assert world.cluster.ready("rate") == "CurrencyNotSupported"
        assert world.cluster.data("rate")["rate"] == "1.1172"

    world.run(story())
