"""One process after another: the next one knows what the last one published, and what others wrote."""

import asyncio
import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.upstreams import Upstream, failing
from tests.unit.world import World

from exchangerates.api import REFRESH_ANNOTATION
from exchangerates.errors import ApiUnreachable
from exchangerates.objects import ExchangeRate

FRIDAY = dt.date(2026, 10, 30)
NOW = dt.datetime(2026, 10, 30, 16, tzinfo=dt.UTC)
HOUR_S = 3600.0
NEXT = FRIDAY + dt.timedelta(days=1)


def test_a_restart_between_two_writes_takes_no_rate_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ConfigMap has the new rate, the status the old one; another object tells of a call that was just made."""
    upstream = Upstream("exchangeratesapi", FRIDAY, USD="1.10")
    upstream.least_interval_s = 8 * HOUR_S
    world = World(monkeypatch, NOW, upstream, rest_s=HOUR_S)
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


def test_a_wish_that_comes_too_early_after_a_restart_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider may not be asked yet, and no table is there: it is not told to be fulfilled, and is soon."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00")
    world = World(monkeypatch, NOW, upstream, rest_s=HOUR_S)

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
    world = World(monkeypatch, NOW, first, second, rest_s=HOUR_S)

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
            await asyncio.sleep(1.1 * HOUR_S)  # the next refresh, and some tries
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
    world = World(monkeypatch, NOW, upstream, rest_s=HOUR_S)

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


def test_a_restart_serves_what_is_new_and_changed_before_it_refreshes_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of rates have moved meanwhile, and each write takes its time."""
    upstream = Upstream("frankfurter", FRIDAY, USD="1.00", GBP="0.80")
    world = World(monkeypatch, NOW, upstream, rest_s=HOUR_S)
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
