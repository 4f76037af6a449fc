"""The running operator: what was seen wakes the schedule, the schedule hands out keys, a few workers make passes."""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from exchangerates.agenda import Agenda, Memory
from exchangerates.api import Reason
from exchangerates.errors import ApiError, FetchUnderWay
from exchangerates.informer import Informer, Lister
from exchangerates.metrics import Metrics
from exchangerates.objects import ExchangeRate, ObjectKey
from exchangerates.observed import Observed
from exchangerates.reconcile import GONE, Outcome

WORKERS: Final = 40
"""Passes that run at once; an API server's priority level for service accounts takes a multiple of it by default. Half
as many cost a twelfth more CPU time in all, on a machine that is shared with the API server."""
MOST_API_FAILURES: Final = 3
"""So many doublings of its pause has an object in an outage of the API server: it is served soon after that."""
STUCK_AFTER_S: Final = 300.0
"""No pass takes this long: eight calls to the API server may take 30 s each."""
IDLE_S: Final = 60.0
"""How long the dispatcher sleeps at most between two signs of life."""
FINISH_S: Final = 3.0
"""How long running passes may go on after the operator was told to end: what they have begun to write, they report."""

logger = logging.getLogger(__name__)


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
    agenda: Agenda = field(init=False)
    informer: Informer = field(init=False)
    _running: dict[ObjectKey, float] = field(default_factory=dict)
    _passes: set[asyncio.Task[None]] = field(default_factory=set)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _dispatched: float | None = None
    """When the dispatcher gave its last sign of life; None while it does not work."""

    def __post_init__(self) -> None:
        self.agenda = Agenda(self.observed, self._now, self._woken.set)
        self.informer = Informer(self.lister, self.agenda, self.namespaces, self.resync_interval_s)

    async def run(self) -> None:
        """List, then work until cancelled; may be run again afterwards."""
        self._dispatched = None
        await self.informer.list_first()
        self.passes.resume(self.observed.exchange_rates.values(), self.clock())
        async with asyncio.TaskGroup() as group:
            group.create_task(self.informer.resync_forever(), name="resync")
            try:
                await self._dispatch(group)
            finally:
                if self._passes:
                    await asyncio.wait(self._passes, timeout=FINISH_S)
                self._dispatched = None  # what has ended is no stall
                self.informer.stop()

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        slots = asyncio.Semaphore(WORKERS)

        def ended(task: asyncio.Task[None]) -> None:
            self._passes.discard(task)
            slots.release()

        while True:
            await slots.acquire()
            key = await self._next()
            task = group.create_task(self._serve(key), name=f"reconcile {key}")
            self._passes.add(task)
            task.add_done_callback(ended)

    def problems(self) -> list[str]:
        """Say what has stalled; empty while all is well. An outage of the API server or of a provider is no stall."""
        now = self._now()
        found = self.informer.problems()
        if self._dispatched is not None and now - self._dispatched > 2 * STUCK_AFTER_S:
            found.append(f"the dispatcher has not run for {now - self._dispatched:.0f} s")
        stuck = [key for key, since in self._running.items() if now - since > STUCK_AFTER_S]
        return found + [f"the pass over {key} does not end" for key in stuck]

    def backlog(self) -> int:
        """Count the objects that wait to be served at once."""
        return self.agenda.schedule.backlog(self._now())

    def lag_s(self) -> float:
        """Give how long the object waits that waits longest, in seconds."""
        return self.agenda.schedule.lag_s(self._now())

    async def _next(self) -> ObjectKey:
        """Wait for the next key to serve."""
        while True:
            now = self._now()
            self._dispatched = now
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
                    self.agenda.let_go(owner)
                elif self.agenda.memory(key) is memory:
                    self.agenda.plan(key, outcome.reason, outcome.again_s)
        except asyncio.CancelledError:
            self.agenda.look_now(key)  # for the next run: this pass has planned none
            raise
        finally:
            self._running.pop(key, None)
            self.agenda.schedule.done(key)
            self.informer.served(key)
            self._woken.set()

    async def _pass(self, owner: ExchangeRate, memory: Memory) -> Outcome | None:
        """Make one pass; None where it has to wait for a rate provider, which takes no worker's place for long."""
        refresh = self.agenda.begin(owner.key)
        began, ended = time.perf_counter(), ""
        try:
            outcome = await self.passes.reconcile(owner, self.clock(), refresh=refresh)
        except FetchUnderWay as waiting:
            # After that moment a repair does with what is published: it waits for no rate provider.
            if waiting.soon_s > 0.0:  # else thousands made a pass for nothing before the answer is there
                await asyncio.wait([waiting.call], timeout=waiting.soon_s)
            waiting.call.add_done_callback(lambda _: self.agenda.look_now(owner.key))
            return None
        except ApiError as error:
            logger.warning("ExchangeRate %s: %s; it is tried again by itself", owner.key, error)
            outcome, ended = Outcome(memory.reason, None), "ApiError"
            if error.is_outage:
                memory.failures = min(memory.failures, MOST_API_FAILURES)
        except Exception:
            logger.exception("ExchangeRate %s: the pass failed; it is tried again, report this traceback", owner.key)
            outcome = Outcome(Reason.INTERNAL_ERROR, None)
        self.metrics.reconciled(ended or outcome.reason or "Gone", time.perf_counter() - began)
        return outcome

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
