"""Who sees all that an operator publishes, and who lets its writes fail."""

import asyncio
import datetime as dt
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.unit.upstreams import Upstream
from tests.unit.world import World

from exchangerates.errors import ApiUnreachable
from exchangerates.objects import ConfigMap
from exchangerates.rates import RateTable

FRIDAY = dt.date(2026, 10, 30)
CODES = ("USD", "GBP")
NOBODYS = "{}"
"""What others write in place of a quote."""
PLAIN = re.compile(r"[0-9]+([.][0-9]+)?")


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
    """Looks at what is published, at every write of the operator and again and again."""

    def __init__(self, world: World, specs: Mapping[str, dict[str, Any]], *upstreams: Remembered) -> None:
        self._world = world
        self._quoted = {upstream.name: upstream.quoted for upstream in upstreams}
        self._dates: dict[tuple[str, str, str], str] = {}
        self._last: dict[str, dict[str, str]] = {}
        self._wrong: list[AssertionError] = []
        self.specs = {name: [spec] for name, spec in specs.items()}

    def look(self, owner: str, data: Mapping[str, str]) -> None:
        """Look at a ConfigMap: right in itself, quoted by whom it names, and no older than before."""
        if "quote" not in data:
            assert not any(PLAIN.fullmatch(value) for value in data.values()), "a withdrawn rate leaves no number"
            return
        document = json.loads(data["quote"])
        rates = document.get("rates") or {document["currency"]: document}
        assert list(rates) in [spec.get("currencies") or [spec.get("currency", "USD")] for spec in self.specs[owner]]
        for currency, entry in rates.items():
            told = data[currency] if "rates" in document else data["rate"]
            assert told == entry["rate"]
            assert PLAIN.fullmatch(told)
            assert Decimal(told) > 0
            assert (data["base"], currency, told, entry["date"]) in self._quoted[data["provider"]]
            if self.specs[owner][-1].get("provider") not in (None, data["provider"]):
                continue  # what a former spec asked for is there until there is another
            pair = (owner, data["base"], currency)
            assert entry["date"] >= self._dates.get(pair, ""), "it was published for a later day before"
            self._dates[pair] = entry["date"]
        assert data["date"] == min(entry["date"] for entry in rates.values())
        assert (data["base"], data["provider"]) == (document["base"], document["provider"])
        last = self._last.get(owner, {})
        if {**last, "publishedAt": "", "quote": ""} == {**data, "publishedAt": "", "quote": ""}:
            assert data["publishedAt"] == last["publishedAt"], "the same is published since the same time"
        self._last[owner] = dict(data)

    def look_at_write(self, owner: str, data: Mapping[str, str]) -> None:
        """Look at what the operator writes; it would take an error for its own, so that it is told later."""
        try:
            self.look(owner, data)
        except AssertionError as error:
            self._wrong.append(error)

    def look_at_all(self) -> None:
        """Look at the ConfigMap of every object that has one."""
        if self._wrong:
            raise self._wrong[0]
        for name in self.specs:
            data = self._world.cluster.data(self.specs[name][-1].get("target", {}).get("name", name))
            if data.get("quote") != NOBODYS:
                self.look(name, data)

    def changed(self, name: str, spec: dict[str, Any]) -> None:
        """Take up a changed spec: of another rate provider an earlier day may be the newest."""
        if spec.get("provider") != self.specs[name][-1].get("provider"):
            self._dates = {pair: date for pair, date in self._dates.items() if pair[0] != name}
        self.specs[name].append(spec)

    def is_told(self, name: str) -> bool:
        """Tell whether the status tells of what the ConfigMap holds: else that is the only one to know it.

        Nor is it, for this purpose, where nothing would be put back.
        """
        if self.specs[name][-1].get("suspend"):
            return False
        rates = self._world.cluster.status(name).get("rates", [])
        held = json.loads(self._world.cluster.data(name).get("quote", "{}"))
        return bool(held) and {entry["publishedAt"] for entry in rates} == {
            entry["publishedAt"] for entry in held.get("rates", {"": held}).values()
        }


class Writes:
    """Lets the operator's next writes fail: before they are done, or with their answer; and may end the operator."""

    def __init__(self, world: World, witness: Witness) -> None:
        self._world, self._witness = world, witness
        self.spared, self.lost, self.done = 0, 0, False
        self.ended = asyncio.Event()
        for name in ("create_config_map", "patch_config_map", "patch_status", "delete_config_map"):
            setattr(world.cluster, name, self._faulty(getattr(world.cluster, name)))

    def lose(self, after: int, times: int, *, done: bool) -> None:
        """Lose these many writes after the next ones; `done` where only the answer is."""
        self.spared, self.lost, self.done = after, times, done
        self.ended.clear()

    def _faulty(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def write(*args: Any) -> Any:  # noqa: ANN401 - as the call has it
            await asyncio.sleep(0)
            self.spared -= 1
            lost = self.spared < 0 < self.lost
            self.lost -= lost
            if lost and not self.done:
                self.ended.set()
                raise ApiUnreachable("it was not done")
            answer = await call(*args)
            if isinstance(answer, ConfigMap):
                self._witness.look_at_write(str(answer.owner_name), answer.data)
            if lost:
                self.ended.set()
                raise ApiUnreachable("the answer is lost")
            await asyncio.sleep(0)
            return answer

        return write
