"""The tables of days that are over: each is fetched once, however many objects ask for it.

Nobody waits in here: who comes while a day's call is waited for is told which, and comes again when it has ended. A
provider is called by one at a time, with a pause between two calls that grows while they fail.
"""

import asyncio
import datetime as dt
import logging
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from exchangerates import threads
from exchangerates.budget import Budget
from exchangerates.errors import FetchError, FetchUnderWay, OutOfBudget
from exchangerates.rates import RateTable
from exchangerates.schedule import MAX_RETRY_AFTER_S, backoff_s

PAUSE_S: Final = 1.0
"""Between two calls that succeed."""
MAX_PAUSE_S: Final = 600.0
FETCH_TIMEOUT_S: Final = 30.0
MAX_DAYS: Final = 256
"""How many days' tables are kept; what is published is never asked for again, so that they are soon of no use."""
MAX_CARRIED: Final = dt.timedelta(days=14)
"""How far before the wanted day the last quoted day may be: beyond that the provider had stopped."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class DayTables:
    """One provider's tables by day. Times are the loop's, in seconds.

    Attributes:
        name: The rate provider's name.
        fetch: Fetches the table of a day, or of the last quoted one before it.
        observer: Hears of every call: the provider, how long it took, what it gave.
        budget: The calls that the provider may have, shared with its newest table, or None.
    """

    name: str
    fetch: Callable[[dt.date], RateTable]
    observer: Callable[[str, float, RateTable | None], None]
    budget: Budget | None = None
    _tables: OrderedDict[dt.date, RateTable] = field(default_factory=OrderedDict)
    _under_way: dict[dt.date, asyncio.Task[None]] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _error: FetchError | None = None
    _failures: int = 0
    _next_call: float = -math.inf

    def wait_s(self) -> float:
        """Give the seconds until a failing provider may be called again."""
        free_s = self._free_s(self.budget) if self.budget is not None else 0.0
        return max(self._next_call - asyncio.get_running_loop().time(), free_s, 1.0)

    @staticmethod
    def _free_s(budget: Budget) -> float:
        now = asyncio.get_running_loop().time()
        return budget.next_call(now, urgent=True) - now

    def table(self, day: dt.date) -> RateTable:
        """Give a day's table.

        Raises:
            FetchUnderWay: A call for it is under way or waits for its turn.
            FetchError: The last call failed so recently that it is too early for another.
        """
        if day in self._tables:
            self._tables.move_to_end(day)
            return self._tables[day]
        if day not in self._under_way:
            if self._error is not None and asyncio.get_running_loop().time() < self._next_call:
                raise self._error
            if self.budget is not None and self._free_s(self.budget) > 0.0:
                raise OutOfBudget(self._free_s(self.budget), self.budget.limit)
            self._under_way[day] = asyncio.create_task(self._call(day), name=f"fetch {self.name} for {day}")
        raise FetchUnderWay(self._under_way[day])

    async def _call(self, day: dt.date) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with self._turn:
                if self._error is None:
                    await asyncio.sleep(max(self._next_call - loop.time(), 0.0))
                elif loop.time() < self._next_call:
                    return  # somebody else's call has failed meanwhile: who waits is told
                began = loop.time()
                if self.budget is not None:
                    if self._free_s(self.budget) > 0.0:
                        return
                    self.budget.count(began)
                table = await self._fetched(day)
                asked_s = (self._error.retry_after_s or 0.0) if self._error is not None else 0.0
                pause_s = backoff_s(max(self._failures, 1), PAUSE_S, MAX_PAUSE_S)
                self._next_call = loop.time() + max(pause_s, min(asked_s, MAX_RETRY_AFTER_S))
                self.observer(self.name, loop.time() - began, table)
                if table is not None:
                    self._tables[day] = table
                    if len(self._tables) > MAX_DAYS:
                        self._tables.popitem(last=False)
        finally:
            del self._under_way[day]

    async def _fetched(self, day: dt.date) -> RateTable | None:
        """Make the call; a table that is not of the wanted days is none."""
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                table = await threads.in_thread(lambda: self.fetch(day))
            _check(table, day)
        except (FetchError, TimeoutError) as error:
            self._error = error if isinstance(error, FetchError) else FetchError("timed out")
        except Exception:
            logger.exception("rate provider %s: its answer could not be read; report this traceback", self.name)
            self._error = FetchError("its answer could not be read")
        else:
            self._error, self._failures = None, 0
            return table
        self._failures += 1
        logger.warning(
            "rate provider %s: the table of %s: %s; it is tried again by itself", self.name, day, self._error
        )
        return None


def _check(table: RateTable, day: dt.date) -> None:
    if not all(day - MAX_CARRIED <= price.date <= day for price in table.prices.values()):
        raise FetchError(f"the answer is not the table of {day}")
