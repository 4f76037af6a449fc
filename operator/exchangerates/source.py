"""One rate provider: its latest table, and when it may be called again.

Nobody waits in here: who comes while a call is under way is told which, and comes again when it has ended.
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from exchangerates import threads
from exchangerates.budget import DAY_S, Budget
from exchangerates.day_tables import DayTables
from exchangerates.errors import AccessRefused, FetchedBefore, FetchError, FetchUnderWay, OutOfBudget
from exchangerates.pause import Pause
from exchangerates.rates import RateTable
from exchangerates.schedule import backoff_s

QUICK_TRIES: Final = 3
"""How many failures in a row are followed by a short pause (2, 4, 8 s) where somebody has no good rate."""
MAX_PATIENT_PAUSE_S: Final = 600.0
"""How long a failing provider is left alone at most while all objects have a good rate; or its least interval."""
FETCH_TIMEOUT_S: Final = 30.0
"""After this a call is given up; a provider's own deadline is shorter."""
SOON_S: Final = 0.25
"""How long after the beginning of a call its answer is awaited in place: most take no longer."""

logger = logging.getLogger(__name__)


class FetchObserver(Protocol):
    """Hears of every call to a provider."""

    def __call__(self, provider: str, seconds: float, table: RateTable | None, /) -> None:
        """Hear of one call: how long it took, and what it gave, None for a failure."""


@dataclass(slots=True)
class Source:
    """One enabled provider: its latest table, and when it may be called again. Times are the loop's, in seconds."""

    name: str
    fetch: Callable[[], RateTable]
    min_fetch_interval_s: float
    observer: FetchObserver
    history: DayTables | None = None
    budget: Budget | None = None
    table: RateTable | None = None
    fetched_at: float = -math.inf
    error: FetchError | None = None
    failures: int = 0
    pause: Pause = field(default_factory=Pause)
    """Shared with the history."""
    _next_call: float = -math.inf
    _next_patient_call: float = -math.inf
    _under_way: asyncio.Task[None] | None = field(default=None, repr=False)
    _called_at: float = -math.inf
    announce: Callable[[str, str], None] = lambda *_: None
    """Hears once a day that the budget keeps somebody waiting: the provider, and the text."""
    _told_at: float = -math.inf

    def __post_init__(self) -> None:
        if self.history is not None:
            self.history.pause = self.pause

    def usable_until(self, max_age_s: float, now: float, *, urgent: bool = False) -> float:
        """Give the time at which the held table has to be looked at again by somebody with this refresh interval."""
        wanted = self.fetched_at + max(max_age_s, self.min_fetch_interval_s)
        urgent = urgent and (self.table is None or self.error is not None)  # who has just answered knows no more
        return wanted if self.budget is None else max(wanted, self.budget.next_call(now, urgent=urgent))

    def next_call(self, *, urgent: bool) -> float:
        """Give the time from which a failing provider may be called again."""
        return max(self._next_call if urgent else self._next_patient_call, self.pause.until)

    def remember(self, fetched_at: float) -> None:
        """Take up when an earlier process has called last, at the least."""
        if self.table is not None or fetched_at < self.fetched_at + self.min_fetch_interval_s:
            return  # objects that were published within one least interval were published after one call
        self.fetched_at = fetched_at
        if self.budget is not None:
            self.budget.count(fetched_at)

    def latest(self, max_age_s: float, *, urgent: bool) -> RateTable:
        """Give a table that was fetched at most this long ago, or the latest that may be had.

        Args:
            max_age_s: How old the table may be, in seconds.
            urgent: Whether the caller has no good rate.

        Raises:
            FetchUnderWay: A call is under way, now begun or before.
            FetchedBefore: An earlier process has called so recently that it is too early for another call.
            FetchError: The last call failed so recently that it is too early for another.
        """
        now = asyncio.get_running_loop().time()
        if self.table is not None and now < self.usable_until(max_age_s, now, urgent=urgent):
            if now >= self.fetched_at + max(max_age_s, self.min_fetch_interval_s):
                self.note_lengthened()
            return self.table
        if self._under_way is None:
            if self.error is not None and now < self.next_call(urgent=urgent):
                raise self.error
            self.pause.check(now)
            if self.table is None and self.error is None and not urgent and now < self.usable_until(max_age_s, now):
                raise FetchedBefore(self.usable_until(max_age_s, now) - now)
            if self.budget is not None and now < (free_at := self.budget.next_call(now, urgent=True)):
                self.note_lengthened()
                raise OutOfBudget(free_at - now, self.budget.limit)
            self._under_way = asyncio.create_task(self._call(), name=f"fetch {self.name}")
            self._called_at = now
        raise FetchUnderWay(self._under_way, max(self._called_at + SOON_S - now, 0.0))

    def note_lengthened(self) -> None:
        """Note that objects want more calls than the budget has, and say so once a day."""
        if self.budget is None:
            return
        self.budget.lengthened = True
        now = asyncio.get_running_loop().time()
        if now >= self._told_at + DAY_S:
            self._told_at = now
            text = (
                f"rate provider {self.name}: its objects want more than maxCallsPerDay ({self.budget.limit}); the "
                "interval between two calls is longer than they ask for; raise it, or ask for longer intervals"
            )
            logger.warning("%s", text)
            self.announce(self.name, text)

    async def _call(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if self.budget is not None:
            self.budget.count(began)
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                table = await threads.in_thread(self.fetch)
        except (FetchError, TimeoutError) as error:
            self._failed(error if isinstance(error, FetchError) else FetchError("timed out"), loop.time())
        except Exception:
            logger.exception("rate provider %s: its answer could not be read; report this traceback", self.name)
            self._failed(FetchError("its answer could not be read"), loop.time())
        else:
            if self.error is not None:
                logger.info("rate provider %s answers again", self.name)
            self.table, self.fetched_at, self.error, self.failures = table, loop.time(), None, 0
        finally:
            self._under_way = None
        self.observer(self.name, loop.time() - began, None if self.error else self.table)

    def _failed(self, error: FetchError, now: float) -> None:
        self.failures += 1
        pause_s = self.min_fetch_interval_s
        patient_s = max(pause_s, backoff_s(self.failures, 2.0 * pause_s, MAX_PATIENT_PAUSE_S))
        if self.failures <= QUICK_TRIES and not isinstance(error, AccessRefused):
            pause_s = min(pause_s, 2.0**self.failures * random.uniform(0.75, 1.25))  # noqa: S311 - jitter, not a secret
        self.error = error
        self.pause.hear(error, now)
        self._next_call, self._next_patient_call = now + pause_s, now + patient_s
        logger.warning(
            "rate provider %s: %s; called again in %.0f s at the earliest, or in %.0f s if every object has a rate",
            self.name,
            error,
            self.next_call(urgent=True) - now,
            self.next_call(urgent=False) - now,
        )
