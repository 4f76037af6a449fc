"""The tables of days that are over: each is fetched once, however many objects ask for it.

Nobody waits in here: who comes while a day's call is waited for is told which, and comes again when it has ended. A
provider is called by one at a time, with a pause between two calls that grows while they fail. A call is told all the
days that wait: a provider whose answer holds many of them is called once.
"""

import asyncio
import datetime as dt
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from exchangerates import threads
from exchangerates.budget import Budget
from exchangerates.errors import AccessRefused, FetchError, FetchUnderWay, OutOfBudget
from exchangerates.pause import Pause
from exchangerates.rates import RateTable
from exchangerates.schedule import backoff_s

PAUSE_S: Final = 1.0
"""Between two calls that succeed."""
QUICK_CALLS: Final = 100
"""How many calls of 24 hours follow each other so soon: more days than people ask for are somebody's game."""
SLOW_PAUSE_S: Final = 60.0
"""Between two that succeed, after that."""
MAX_WAITING: Final = 16
"""How many days wait for a provider that answers for one at a time. What is more goes to the next provider of the
chain, and comes again in the order in which namespaces take turns."""
MAX_PAUSE_S: Final = 600.0
"""While they fail; or the provider's least fetch interval, where that is longer."""
HEAD_START_S: Final = 120.0
"""Of the newest table, where the provider's pause ends."""
FETCH_TIMEOUT_S: Final = 30.0
MAX_DAYS: Final = 256
"""How many days' tables are kept; what is published is never asked for again, so that they are soon of no use."""
CARRIED_S: Final = 3600.0
"""How long the table of an earlier day serves: the day's own may still come."""
MAX_CARRIED: Final = dt.timedelta(days=14)
"""How far before the wanted day the last quoted day may be: beyond that the provider had stopped."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class DayTables:
    """One provider's tables by day. Times are the loop's, in seconds.

    Attributes:
        name: The rate provider's name.
        fetch: Fetches the table of the first of some days, and of those others that the same answer holds.
        observer: Hears of every call: the provider, how long it took, what it gave.
        budget: The calls that the provider may have, shared with its newest table, or None.
        least_interval_s: The provider's least fetch interval, after which it is asked again where it refuses.
        at_once: How many days one call may answer for.
        pause: Until when the provider wants no call at all; a `source.Source` shares its own.
    """

    name: str
    fetch: Callable[[Sequence[dt.date]], Mapping[dt.date, RateTable]]
    observer: Callable[[str, float, RateTable | None], None]
    budget: Budget | None = None
    least_interval_s: float = 0.0
    at_once: int = 1
    pause: Pause = field(default_factory=Pause)
    _tables: OrderedDict[dt.date, tuple[RateTable, float]] = field(default_factory=OrderedDict)
    """With the time until which each serves."""
    _under_way: dict[dt.date, asyncio.Task[None]] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _error: FetchError | None = None
    _failures: int = 0
    _next_call: float = -math.inf
    _made: Budget = field(default_factory=lambda: Budget(QUICK_CALLS + 1))
    """Counts calls, no more of them than matter."""
    _share: Budget | None = field(init=False, default=None)
    """Half of the budget, spread over the day: the rest is left to the newest table."""

    def __post_init__(self) -> None:
        if self.budget is not None:
            self._share = Budget(max(self.budget.limit // 2, 1))

    def wait_s(self) -> float:
        """Give the seconds until a failing provider may be called again."""
        now = asyncio.get_running_loop().time()
        pause_s = max(self._next_call, self.pause.until + HEAD_START_S) - now
        turn_s = len(self._under_way) / self.at_once * self._quiet_s(now)
        return max(pause_s, self._free_s(), turn_s, 1.0)

    def _free_s(self) -> float:
        """Give the seconds until the budget has a call for a day; 0 for at once."""
        if self.budget is None or self._share is None:
            return 0.0
        now = asyncio.get_running_loop().time()
        return max(self.budget.next_call(now, urgent=True), self._share.next_call(now, urgent=False)) - now

    def table(self, day: dt.date) -> RateTable:
        """Give a day's table.

        Raises:
            FetchUnderWay: A call for it is under way or waits for its turn.
            FetchError: The last call failed so recently that it is too early for another.
        """
        now = asyncio.get_running_loop().time()
        if (held := self._held(day, now)) is not None:
            self._tables.move_to_end(day)
            return held
        if day not in self._under_way:
            if self._error is not None and now < self._next_call:
                raise self._error
            self.pause.check(now - HEAD_START_S)
            if self.budget is not None and self._free_s() > 0.0:
                raise OutOfBudget(self._free_s(), self.budget.limit)
            if len(self._under_way) >= max(self.at_once, MAX_WAITING):
                raise FetchError(f"{len(self._under_way)} other days wait for it")
            self._under_way[day] = asyncio.create_task(self._call(day), name=f"fetch {self.name} for {day}")
        raise FetchUnderWay(self._under_way[day])

    def _held(self, day: dt.date, now: float) -> RateTable | None:
        table, until = self._tables.get(day, (None, 0.0))
        return table if now < until else None

    async def _call(self, day: dt.date) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with self._turn:
                if self._held(day, loop.time()) is not None:
                    return  # another day's call has brought it
                if self._error is None:
                    await asyncio.sleep(max(self._next_call - loop.time(), 0.0))
                began = loop.time()
                if began < self.pause.until + HEAD_START_S or (self._error is not None and began < self._next_call):
                    return  # somebody else's call has failed meanwhile: who waits is told
                if self._free_s() > 0.0:
                    return
                for budget in filter(None, (self.budget, self._share, self._made)):
                    budget.count(began)
                tables = await self._fetched([day, *(other for other in self._under_way if other != day)][:MAX_DAYS])
                self._next_call = loop.time() + self._pause_s(loop.time())
                self.observer(self.name, loop.time() - began, tables.get(day))
                self._tables |= {
                    quoted: (table, _serves_until(table, quoted, loop.time())) for quoted, table in tables.items()
                }
                while len(self._tables) > MAX_DAYS:
                    self._tables.popitem(last=False)
        finally:
            del self._under_way[day]

    def _quiet_s(self, now: float) -> float:
        return PAUSE_S if self._made.used(now) <= QUICK_CALLS else SLOW_PAUSE_S

    def _pause_s(self, now: float) -> float:
        if isinstance(self._error, AccessRefused):
            return self.least_interval_s
        if self._error is None:
            return self._quiet_s(now)
        return backoff_s(self._failures, PAUSE_S, max(MAX_PAUSE_S, self.least_interval_s))

    async def _fetched(self, days: Sequence[dt.date]) -> Mapping[dt.date, RateTable]:
        """Make the call; where the first day's table cannot be had, or is another's, there is none."""
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                tables = await threads.in_thread(lambda: self.fetch(days))
            if not _right(tables[days[0]], days[0]):
                raise FetchError(f"the answer is not the table of {days[0]}")  # noqa: TRY301 - told as the others are
        except (FetchError, TimeoutError) as error:
            self._error = error if isinstance(error, FetchError) else FetchError("timed out")
        except Exception:
            logger.exception("rate provider %s: its answer could not be read; report this traceback", self.name)
            self._error = FetchError("its answer could not be read")
        else:
            self._error, self._failures = None, 0
            return {day: table for day, table in tables.items() if _right(table, day)}
        self._failures += 1
        self.pause.hear(self._error, asyncio.get_running_loop().time())
        logger.warning(
            "rate provider %s: the table of %s: %s; it is tried again by itself", self.name, days[0], self._error
        )
        return {}


def _serves_until(table: RateTable, day: dt.date, now: float) -> float:
    return math.inf if any(price.date == day for price in table.prices.values()) else now + CARRIED_S


def _right(table: RateTable, day: dt.date) -> bool:
    return all(day - MAX_CARRIED <= price.date <= day for price in table.prices.values())
