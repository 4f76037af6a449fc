"""The running operator: what was seen wakes the schedule, the schedule hands out keys, a few workers make passes.

The watches only wake; lists are the truth. Both kinds are listed before anything is written and every resync interval
after: what the watches have missed is found then. A watch is deaf that shows nothing while lists bring news again and
again: the operator's own, or Kopf's when it makes a watch anew.
"""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from exchangerates.agenda import Agenda, Memory
from exchangerates.api import KIND, Reason
from exchangerates.errors import ApiError, FetchUnderWay
from exchangerates.hearing import Hearing
from exchangerates.metrics import Metrics
from exchangerates.observed import ConfigMap, ExchangeRate, ObjectKey, Observed
from exchangerates.reconcile import GONE, Outcome

WORKERS: Final = 20
"""Passes that run at once; an API server's default priority level takes a multiple of it."""
LIST_AGAIN_S: Final = 30.0
"""The pause after a list that failed, and after one that found what the watches have missed."""
STUCK_AFTER_S: Final = 300.0
"""No pass takes this long: eight calls to the API server may take 30 s each."""
IDLE_S: Final = 60.0
"""How long the dispatcher sleeps at most between two signs of life."""
FINISH_S: Final = 3.0
"""How long running passes may go on after the operator was told to end: what they have begun to write, they report."""

logger = logging.getLogger(__name__)


class Lister(Protocol):
    """The calls of `cluster.Cluster` that a list is made of."""

    def list_exchange_rates(self, namespace: str | None) -> AsyncIterator[ExchangeRate]: ...  # noqa: D102
    def list_config_maps(self, namespace: str | None) -> AsyncIterator[ConfigMap]: ...  # noqa: D102


class Passes(Protocol):
    """The calls of `reconcile.Reconciler`."""

    def resume(self, owners: Iterable[ExchangeRate], now: dt.datetime) -> None: ...  # noqa: D102
    async def reconcile(self, owner: ExchangeRate, now: dt.datetime, *, refresh: bool) -> Outcome: ...  # noqa: D102


@dataclass(slots=True)
class Controller:
    """One operator's work. Times are the event loop's, in seconds; `clock` gives the time of day for dates."""

    lister: Lister
    passes: Passes
    observed: Observed
    namespaces: tuple[str | None, ...]
    resync_interval_s: float
    clock: Callable[[], dt.datetime]
    metrics: Metrics
    listed: asyncio.Event = field(default_factory=asyncio.Event)
    agenda: Agenda = field(init=False)
    _running: dict[ObjectKey, float] = field(default_factory=dict)
    _passes: set[asyncio.Task[None]] = field(default_factory=set)
    _hearing: Hearing = field(default_factory=Hearing)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _beats: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.agenda = Agenda(self.observed, self._now, self._woken.set)

    def is_news(self, kind: str, event_type: str | None, body: Mapping[str, Any]) -> bool:
        """Tell whether a watch's event is to be taken up; if it shows what is known, that shows that the watch hears.

        Most events are the echo of the operator's own writes, and for Kopf to handle one costs far more than this look.
        """
        meta = body["metadata"]
        key = ObjectKey(meta["namespace"], meta["name"])
        known = (self.observed.exchange_rates if kind == KIND else self.observed.config_maps).get(key)
        if event_type == "DELETED" or known is None or int(meta["resourceVersion"]) > known.resource_version:
            return True
        if event_type is not None:
            self._judge(kind, key, event_type)
        return False

    def watch_exchange_rate(self, event_type: str | None, body: Mapping[str, Any]) -> None:
        """Take up an event of the ExchangeRates' watch."""
        seen = ExchangeRate.from_body(body)
        if event_type == "DELETED":
            news = self.agenda.lose_exchange_rate(seen.key, seen.uid)
        else:
            news = self.agenda.take_exchange_rate(seen)
        if news or event_type is not None:
            self._judge(KIND, seen.key, event_type)

    def watch_config_map(self, event_type: str | None, body: Mapping[str, Any]) -> None:
        """Take up an event of the ConfigMaps' watch; a lost label comes as DELETED too."""
        seen = ConfigMap.from_body(body)
        if event_type == "DELETED":
            news = self.agenda.lose_config_map(seen.key, seen.uid)
        else:
            news = self.agenda.take_config_map(seen)
        if news or event_type is not None:
            self._judge("ConfigMap", seen.key, event_type)

    async def run(self) -> None:
        """List, then work until cancelled; may be run again afterwards."""
        self.listed.clear()
        self._beats.clear()
        self._hearing.begin()
        await self._first_list()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._resync_forever(), name="resync")
            try:
                await self._dispatch(group)
            finally:
                if self._passes:
                    await asyncio.wait(self._passes, timeout=FINISH_S)
                self._beats.clear()  # what has ended is no stall

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        slots = asyncio.Semaphore(WORKERS)
        while True:
            await slots.acquire()
            key = await self._next()
            task = group.create_task(self._serve(key), name=f"reconcile {key}")
            self._passes.add(task)
            task.add_done_callback(self._passes.discard)
            task.add_done_callback(lambda _: slots.release())

    def problems(self) -> list[str]:
        """Say what has stalled; empty while all is well. An outage of the API server or of a provider is no stall."""
        now = self._now()
        limits = {"the dispatcher": 2 * STUCK_AFTER_S, "the resync": 2 * self.resync_interval_s + STUCK_AFTER_S}
        stalled = [
            f"{name} has not run for {now - beat:.0f} s"
            for name, beat in self._beats.items()
            if now - beat > limits[name]
        ]
        stuck = [
            f"the pass over {key} does not end" for key, since in self._running.items() if now - since > STUCK_AFTER_S
        ]
        return stalled + stuck + [f"the watch of {watch} is deaf" for watch in self._hearing.deaf()]

    def backlog(self) -> int:
        """Count the objects that wait to be served at once."""
        return self.agenda.schedule.backlog(self._now())

    def lag_s(self) -> float:
        """Give how long the object waits that waits longest, in seconds."""
        return self.agenda.schedule.lag_s(self._now())

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
                owners = self.observed.exchange_rates.values()
                logger.info("watching %d ExchangeRates", len(owners))
                self.passes.resume(owners, self.clock())
                self.listed.set()
                return

    async def _resync_forever(self) -> None:
        soon_s, failed = min(LIST_AGAIN_S, self.resync_interval_s), False
        while True:
            self._beats["the resync"] = self._now()
            await asyncio.sleep(soon_s)
            if not failed and not self._hearing.in_doubt(self._now()):
                await asyncio.sleep(self.resync_interval_s - soon_s)
            try:
                await self._resync()
                failed = False
            except ApiError as error:
                logger.warning("a list failed, it is tried again in %.0f s: %s", soon_s, error)
                failed = True

    async def _resync(self) -> None:
        """Take up what the lists show; what is known and in none of them, and was known before, is gone."""
        rates_before = {key: seen.uid for key, seen in self.observed.exchange_rates.items()}
        maps_before = {key: seen.uid for key, seen in self.observed.config_maps.items()}
        maps = [seen for namespace in self.namespaces async for seen in self.lister.list_config_maps(namespace)]
        rates = [seen for namespace in self.namespaces async for seen in self.lister.list_exchange_rates(namespace)]
        for listed_map in maps:
            if self.agenda.take_config_map(listed_map):
                self._judge("ConfigMap", listed_map.key, None)
        for listed_rate in rates:
            if self.agenda.take_exchange_rate(listed_rate):
                self._judge(KIND, listed_rate.key, None)
        for key in rates_before.keys() - {seen.key for seen in rates}:
            if self.agenda.lose_exchange_rate(key, rates_before[key]):
                logger.info("ExchangeRate %s is gone and its DELETED event was lost", key)
                self._judge(KIND, key, None)
        for key in maps_before.keys() - {seen.key for seen in maps}:
            if self.agenda.lose_config_map(key, maps_before[key]):
                self._judge("ConfigMap", key, None)

    def _judge(self, kind: str, key: ObjectKey, event_type: str | None) -> None:
        """Judge a watch by an event of it, or by news that a list has brought: then the type is None."""
        watch = f"{kind}s" if None in self.namespaces else f"{kind}s in {key.namespace}"
        if event_type is not None:
            self._hearing.heard(watch)
        elif self.listed.is_set():
            self._hearing.missed(watch, self._now())

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
                async with asyncio.timeout(IDLE_S if due is None else min(IDLE_S, due - now)):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _serve(self, key: ObjectKey) -> None:
        """Make one pass and schedule the next; nothing that a pass raises ends the operator."""
        owner, memory = self.observed.exchange_rates.get(key), self.agenda.memory(key)
        try:
            if owner is not None and memory is not None:
                self._running[key] = self._now()
                outcome = await self._pass(owner, memory)
                if outcome is None:
                    return
                if outcome is GONE:
                    self.agenda.lose_exchange_rate(key, owner.uid)
                elif self.agenda.memory(key) is memory:
                    self.agenda.plan(key, outcome.reason, outcome.again_s)
        finally:
            self._running.pop(key, None)
            self.agenda.schedule.done(key)
            self._woken.set()

    async def _pass(self, owner: ExchangeRate, memory: Memory) -> Outcome | None:
        """Make one pass; None where it has to wait for a rate provider, which takes no worker's place."""
        refresh = self.agenda.begin(owner.key)
        began, ended = time.perf_counter(), ""
        try:
            outcome = await self.passes.reconcile(owner, self.clock(), refresh=refresh)
        except FetchUnderWay as waiting:
            # Meanwhile a repair does with what is published: it waits for no rate provider.
            waiting.call.add_done_callback(lambda _: self.agenda.look_now(owner.key))
            return None
        except ApiError as error:
            logger.warning("ExchangeRate %s: %s", owner.key, error)
            outcome, ended = Outcome(memory.reason, None), "ApiError"
        except Exception:
            logger.exception("ExchangeRate %s: the pass failed", owner.key)
            outcome = Outcome(Reason.INTERNAL_ERROR, None)
        self.metrics.reconciled(ended or outcome.reason or "Gone", time.perf_counter() - began)
        return outcome

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
