"""Whatever rate providers quote, however they fail and whoever interferes: what is published was quoted so.

A whole operator on a cluster in memory lives through stories that nobody has written: tables that change, outages,
restarts, edits of ConfigMaps and specs, refreshes and approvals.
"""

import asyncio
import datetime as dt
import json
import re
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.upstreams import Upstream
from tests.unit.world import World

from exchangerates.api import APPROVE_ANNOTATION, REFRESH_ANNOTATION
from exchangerates.errors import AccessRefused, FetchError
from exchangerates.rates import RateTable

FRIDAY = dt.date(2026, 10, 30)
NIGHT = dt.datetime(2026, 10, 30, 20, tzinfo=dt.UTC)
CODES = ("USD", "GBP")
HOUR_S = 3600.0
PLAIN = re.compile(r"[0-9]+([.][0-9]+)?")
SPECS: dict[str, dict[str, Any]] = {
    "plain": {},
    "pinned": {"provider": "ecb"},
    "wary": {"maxChangePercent": "5", "minChangePercent": "0.5"},
    "withdrawn": {"onStale": "Withdraw", "maxAge": "24h"},
    "cross": {"base": "USD", "currency": "GBP"},
    "set": {"currency": None, "currencies": list(CODES), "maxChangePercent": "20"},
    "quiet-set": {"currency": None, "currencies": list(CODES), "minChangePercent": "1"},
}


class Remembered(Upstream):
    """A rate provider of which is known what it has quoted.

    Attributes:
        lag: How many days GBP is behind.
        quoted: Pair, rate and day of all that could be made of its tables.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, FRIDAY, USD="1.1172", GBP="0.8338")
        self.lag = dt.timedelta(1)
        self.least_interval_s = 60.0
        self.quoted: set[tuple[str, str, str, str]] = set()

    def fetch(self) -> RateTable:
        """Answer one call."""
        whole = super().fetch()
        late = {
            code: replace(price, date=price.date - self.lag) for code, price in whole.prices.items() if code == "GBP"
        }
        table = replace(whole, prices={**whole.prices, **late})
        days = {"EUR": dt.date.max, **{code: price.date for code, price in table.prices.items()}}
        for base in ("EUR", *CODES):
            for currency in CODES:
                if quote := table.quote(base, currency):
                    day = min(days[base], days[currency])
                    self.quoted.add((base, currency, quote.rate, day.isoformat()))
        return table


class Witness:
    """Looks at what is published, again and again."""

    def __init__(self, world: World, *upstreams: Remembered) -> None:
        self._world, self._upstreams = world, upstreams
        self._dates: dict[tuple[str, str], str] = {}

    def look(self, name: str) -> None:
        """Look at an object's ConfigMap: right in itself, quoted by somebody, and no older than before."""
        data = self._world.cluster.data(name)
        if "quote" not in data:
            assert not any(PLAIN.fullmatch(value) for value in data.values()), "a withdrawn rate leaves no number"
            return
        document = json.loads(data["quote"])
        rates = document.get("rates") or {document["currency"]: document}
        assert list(rates) == SPECS[name].get("currencies", [SPECS[name].get("currency", "USD")])
        for currency, entry in rates.items():
            told = data[currency] if "rates" in document else data["rate"]
            assert told == entry["rate"]
            assert PLAIN.fullmatch(told)
            assert Decimal(told) > 0
            quote = (data["base"], currency, told, entry["date"])
            assert any(quote in upstream.quoted for upstream in self._upstreams)
            assert entry["date"] >= self._dates.get((name, currency), "")
            self._dates[name, currency] = entry["date"]
        assert data["date"] == min(entry["date"] for entry in rates.values())
        assert (data["base"], data["provider"]) == (document["base"], document["provider"])


events = st.one_of(
    st.tuples(
        st.just("quote"),
        st.integers(0, 1),
        st.tuples(st.integers(-3, 1), st.integers(0, 2)),
        st.dictionaries(st.sampled_from(CODES), st.decimals("0.0000001", "99999", places=7).filter(bool), max_size=2),
    ),
    st.tuples(
        st.just("quote"),
        st.integers(0, 1),
        st.tuples(st.integers(-3, 1), st.integers(0, 2)),
        st.fixed_dictionaries(
            {"USD": st.decimals("1.05", "1.2", places=4), "GBP": st.decimals("0.8", "0.9", places=4)}
        ),
    ),
    st.tuples(st.just("fail"), st.integers(0, 1), st.sampled_from(["HTTP 500", "Retry-After", "refused"])),
    st.tuples(st.just("heal"), st.integers(0, 1)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("sleep"), st.sampled_from([HOUR_S, 5 * HOUR_S])),
    st.tuples(st.just("refresh"), st.sampled_from(sorted(SPECS))),
    st.tuples(st.sampled_from(["spike", "almost approved spike"]), st.sampled_from(["wary", "set"])),
    st.tuples(st.just("edit"), st.sampled_from(sorted(SPECS))),
    st.tuples(st.just("lose"), st.sampled_from(sorted(SPECS))),
)
FAULTS = {
    "HTTP 500": FetchError("HTTP 500"),
    "Retry-After": FetchError("HTTP 503", retry_after_s=5000.0),
    "refused": AccessRefused("access refused (HTTP 401)"),
}
wishes = count(50)


async def happen(world: World, upstreams: tuple[Remembered, ...], event: tuple[Any, ...]) -> None:
    """Let one thing happen, and the operator see it."""
    match event:
        case ("quote", number, (days, lag), rates):
            upstreams[number].date, upstreams[number].lag = world.now().date() + dt.timedelta(days), dt.timedelta(lag)
            upstreams[number].rates = {code: f"{rate:f}" for code, rate in rates.items()}
        case ("fail", number, fault):
            upstreams[number].error = FAULTS[fault]
        case ("heal", number):
            upstreams[number].error = None
        case ("restart",):
            await world.restart()
        case ("sleep", seconds):
            await asyncio.sleep(seconds)
        case (kind, name, *_) if world.cluster.rates:
            await interfere(world, upstreams, kind, name)
    await asyncio.sleep(90.0)


async def interfere(world: World, upstreams: tuple[Remembered, ...], kind: str, name: str) -> None:
    """Let somebody do something with an object or its ConfigMap."""
    match kind:
        case "edit":
            world.cluster.tamper(name, rate="9", USD="9", quote="{}")
        case "lose":
            world.cluster.lose(name)
        case "refresh":
            world.cluster.annotate(name, REFRESH_ANNOTATION, str(next(wishes)))
        case "spike" | "almost approved spike":
            for upstream in upstreams:
                upstream.date, upstream.error = world.now().date(), None
            upstreams[0].rates = {code: f"{next(wishes)}.5" for code in CODES}
            world.cluster.annotate(name, REFRESH_ANNOTATION, str(next(wishes)))
            await asyncio.sleep(90.0)
            approval = world.cluster.status(name).get("held", {}).get("approval", "")
            world.cluster.annotate(name, APPROVE_ANNOTATION, approval if kind == "spike" else f"1{approval}")


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(events, min_size=1, max_size=12))
def test_what_is_published_was_quoted_whatever_happens(monkeypatch: pytest.MonkeyPatch, story: list[Any]) -> None:
    """For that pair on that day, plain and positive; its day is never before that of what was published before."""
    upstreams = (Remembered("frankfurter"), Remembered("ecb"))
    world = World(monkeypatch, NIGHT, *upstreams)
    witness = Witness(world, *upstreams)

    async def told() -> None:
        await happen(world, upstreams, story[0])
        for name, spec in SPECS.items():
            world.cluster.add(name, **spec)
        for event in (("sleep", 0.0), *story[1:], ("heal", 0), ("heal", 1), ("sleep", 2 * HOUR_S)):
            await happen(world, upstreams, event)
            for name in SPECS:
                witness.look(name)
        assert "InternalError" not in {world.cluster.ready(name) for name in SPECS}

    world.run(told())
