"""What the metrics say of the rate providers."""

import asyncio
import datetime as dt

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.upstreams import Archive, failing
from tests.unit.world import World

from exchangerates.metrics import Gauges, Metrics

NOW = dt.datetime(2026, 11, 25, 20, tzinfo=dt.UTC)
DAY = "exchangerates_provider_quote_timestamp_seconds"
CALLS = "exchangerates_provider_fetches_total"


def test_the_quotes_age_is_each_providers_own_and_that_of_its_newest_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates of days that are over are calls too, but no news; neither is a call that fails."""
    monkeypatch.setattr("exchangerates.spec.PROVIDERS", ("ecb", "late"))
    first, second = Archive("ecb", NOW.date(), USD="1.2"), Archive("late", dt.date(2026, 11, 20), USD="1.1")
    world = World(monkeypatch, NOW, first, second)

    async def story() -> None:
        for name in ("ecb", "late"):
            world.cluster.add(name, provider=name, refreshInterval="1m")
        await asyncio.sleep(30.0)
        ages = {f'{DAY}{{provider="ecb"}} 1.7955648e+09', f'{DAY}{{provider="late"}} 1.7951328e+09'}
        assert ages <= set(world.scraped().splitlines())
        world.cluster.add("dated", provider="ecb", date="2024-06-28")
        failing(second)
        await asyncio.sleep(60.0)
        assert world.cluster.ready("dated") == "Published"
        lines = set(world.scraped().splitlines())
        assert ages <= lines
        assert {
            f'{CALLS}{{outcome="success",provider="ecb"}} 3.0',
            f'{CALLS}{{outcome="failure",provider="late"}} 1.0',
        } <= lines

    world.run(story())


def test_watches_are_counted_apart_from_their_restarts() -> None:
    """So that an alert goes by the restarts of one watch, however many namespaces are watched."""
    metrics = Metrics()
    for namespace in ("a", "b", "a", "a"):
        metrics.watch_opened(f"/api/v1/namespaces/{namespace}/configmaps")
    text = metrics.exposition(Gauges(objects=dict, backlog=lambda: 0, lag_s=lambda: 0.0)).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    counted = {sample.name: sample.value for sample in samples if sample.labels == {"resource": "configmaps"}}
    assert counted == {"exchangerates_watches": 2.0, "exchangerates_watch_restarts_total": 2.0}
