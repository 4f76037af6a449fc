"""The running operator: what was seen wakes the schedule, the schedule hands out keys, a few workers make passes.

The watches only wake; lists are the truth. Both kinds are listed before anything is written and every ten minutes
after: a lost DELETED event is found then, and a watch that has not shown a listed change a minute later is deaf.
"""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from exchangerates.agenda import Agenda, Memory
from exchangerates.errors import ApiError
from exchangerates.metrics import Metrics
from exchangerates.observed import ConfigMap, ExchangeRate, ObjectKey, Observed
from exchangerates.reconcile import GONE, Outcome

WORKERS: Final = 20
"""Passes that run at once; an API server's default priority level takes a multiple of it."""
RESYNC_S: Final = 600.0
DEAF_AFTER_S: Final = 60.0
"""How long a watch may take to show what a list has shown."""
STUCK_AFTER_S: Final = 180.0
"""No pass takes this long: each of its calls has a timeout, and their sum is below."""

logger = logging.getLogger(__name__)


class Lister(Protocol):
    """The calls of `cluster.Cluster` that a list is made of."""

    def list_exchange_rates(self, namespace: str | None) -> AsyncIterator[ExchangeRate]: ...  # noqa: D102
    def list_config_maps(self, namespace: str | None) -> AsyncIterator[ConfigMap]: ...  # noqa: D102


class Passes(Protocol):
    """The call of `reconcile.Reconciler`."""

    async def reconcile(self, owner: ExchangeRate, now: dt.datetime, *, refresh: bool) -> Outcome: ...  # noqa: D102


@dataclass(slots=True)
class Controller:
    """One operator's work. Times are the event loop's, in seconds; `clock` gives the time of day for dates."""

    lister: Lister
    passes: Passes
    observed: Observed
    namespaces: tuple[str | None, ...]
    clock: Callable[[], dt.datetime]
    metrics: Metrics
    listed: asyncio.Event = field(default_factory=asyncio.Event)
    agenda: Agenda = field(init=False)
    _running: dict[ObjectKey, float] = field(default_factory=dict)
    _unseen: dict[tuple[type, ObjectKey], tuple[int, float]] = field(default_factory=dict)
    """What a list has shown and the watch not yet: resource version, and when it was listed."""
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _beats: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.agenda = Agenda(self.observed, self._now, self._woken.set)

    def watch_exchange_rate(self, event_type: str | None, body: Mapping[str, Any]) -> None:
        """Take up an event of the ExchangeRates' watch."""
        seen = ExchangeRate.from_body(body)
        self._heard(ExchangeRate, seen.key, seen.resource_version)
        if event_type == "DELETED":
            self.agenda.lose_exchange_rate(seen.key, seen.uid)
        else:
            self.agenda.take_exchange_rate(seen)

    def watch_config_map(self, event_type: str | None, body: Mapping[str, Any]) -> None:
        """Take up an event of the ConfigMaps' watch; a lost label comes as DELETED too."""
        seen = ConfigMap.from_body(body)
        self._heard(ConfigMap, seen.key, seen.resource_version)
        if event_type == "DELETED":
            self.agenda.lose_config_map(seen.key, seen.uid)
        else:
            self.agenda.take_config_map(seen)

    async def run(self) -> None:
        """List, then work until cancelled."""
        await self._first_list()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._resync_forever(), name="resync")
            slots = asyncio.Semaphore(WORKERS)
            while True:
                await slots.acquire()
                key = await self._next()
                task = group.create_task(self._serve(key), name=f"reconcile {key}")
                task.add_done_callback(lambda _: slots.release())

    def problems(self) -> list[str]:
        """Say what has stalled; empty while all is well. An outage of the API server or of a provider is no stall."""
        now = self._now()
        limits = {"the dispatcher": 2 * STUCK_AFTER_S, "the resync": 2 * RESYNC_S}
        stalled = [
            f"{name} has not run for {now - beat:.0f} s"
            for name, beat in self._beats.items()
            if now - beat > limits[name]
        ]
        stuck = [
            f"the pass over {key} does not end" for key, since in self._running.items() if now - since > STUCK_AFTER_S
        ]
        deaf = {kind.__name__ for (kind, _), (_, since) in self._unseen.items() if now - since > DEAF_AFTER_S}
        return stalled + stuck + [f"the watch of {kind}s is deaf" for kind in sorted(deaf)]

    def backlog(self) -> int:
        """Count the objects that wait to be served at once."""
        return len(self.agenda.schedule)

    async def _first_list(self) -> None:
        delay_s = 1.0
        while True:
            try:
                await self._resync()
            except ApiError as error:
                logger.warning("the first list failed, it is tried again in %.0f s: %s", delay_s, error)
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, 10.0)
            else:
                logger.info("watching %d ExchangeRates", len(self.observed.exchange_rates))
                self.listed.set()
                return

    async def _resync_forever(self) -> None:
        pause_s = RESYNC_S
        while True:
            self._beats["the resync"] = self._now()
            await asyncio.sleep(pause_s)
            try:
                await self._resync()
                pause_s = RESYNC_S
            except ApiError as error:
                logger.warning("a list failed, it is tried again in %.0f s: %s", DEAF_AFTER_S, error)
                pause_s = DEAF_AFTER_S

    async def _resync(self) -> None:
        """Take up what the lists show; what is known and in none of them, and was known before, is gone."""
        rates_before = {key: seen.uid for key, seen in self.observed.exchange_rates.items()}
        maps_before = {key: seen.uid for key, seen in self.observed.config_maps.items()}
        maps = [seen for namespace in self.namespaces async for seen in self.lister.list_config_maps(namespace)]
        rates = [seen for namespace in self.namespaces async for seen in self.lister.list_exchange_rates(namespace)]
        first = not self.listed.is_set()
        for listed_map in maps:
            if self.agenda.take_config_map(listed_map) and not first:
                self._unseen[ConfigMap, listed_map.key] = (listed_map.resource_version, self._now())
        for listed_rate in rates:
            if self.agenda.take_exchange_rate(listed_rate) and not first:
                self._unseen[ExchangeRate, listed_rate.key] = (listed_rate.resource_version, self._now())
        for key in rates_before.keys() - {seen.key for seen in rates}:
            if self.agenda.lose_exchange_rate(key, rates_before[key]):
                logger.info("ExchangeRate %s is gone and its DELETED event was lost", key)
        for key in maps_before.keys() - {seen.key for seen in maps}:
            self.agenda.lose_config_map(key, maps_before[key])

    def _heard(self, kind: type, key: ObjectKey, resource_version: int) -> None:
        listed = self._unseen.get((kind, key))
        if listed is not None and resource_version >= listed[0]:
            del self._unseen[kind, key]

    async def _next(self) -> ObjectKey:
        """Wait for the next key to serve."""
        while True:
            now = self._now()
            self._beats["the dispatcher"] = now
            key = self.agenda.schedule.pop(now)
            if key is not None:
                return key
            due = self.agenda.schedule.next_due()
            self._woken.clear()
            try:
                async with asyncio.timeout(min(DEAF_AFTER_S, DEAF_AFTER_S if due is None else due - now)):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _serve(self, key: ObjectKey) -> None:
        """Make one pass and schedule the next; nothing that a pass raises ends the operator."""
        owner, memory = self.observed.exchange_rates.get(key), self.agenda.memory(key)
        try:
            if owner is not None and memory is not None and not owner.deleting:
                self._running[key] = self._now()
                outcome = await self._pass(owner, memory)
                if outcome is GONE:
                    self.agenda.lose_exchange_rate(key, owner.uid)
                elif self.agenda.memory(key) is memory:
                    self.agenda.plan(key, outcome.reason, outcome.again_s)
        finally:
            self._running.pop(key, None)
            self.agenda.schedule.done(key)
            self._woken.set()

    async def _pass(self, owner: ExchangeRate, memory: Memory) -> Outcome:
        refresh = memory.refresh_at <= self._now()
        if refresh:
            memory.repairs = 0
        began = time.perf_counter()
        try:
            outcome = await self.passes.reconcile(owner, self.clock(), refresh=refresh)
        except ApiError as error:
            logger.warning("ExchangeRate %s: %s", owner.key, error)
            outcome = Outcome(memory.reason, None)
        self.metrics.reconciled(outcome.reason, time.perf_counter() - began)
        return outcome

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
