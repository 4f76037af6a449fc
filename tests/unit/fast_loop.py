"""Hours that pass in milliseconds: an event loop in which nobody waits."""

import asyncio
import datetime as dt
import selectors
from collections.abc import Callable, Coroutine
from typing import Any


class _Selector(selectors.DefaultSelector):
    """Puts the time forward instead of waiting."""

    ahead_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0.0:
            return []  # somebody is ready: what comes from outside is looked for once nobody is
        found = super().select(0.0)
        if not found and timeout:
            self.ahead_s += timeout
        return found


class FastLoop(asyncio.SelectorEventLoop):
    """An event loop in which nobody waits: when all sleep, it is the time at which the first wakes."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Give the seconds that have passed."""
        return self._clock.ahead_s


def run_fast(work: Coroutine[Any, Any, None]) -> None:
    """Run something in a loop in which nobody waits."""
    with asyncio.Runner(loop_factory=FastLoop) as runner:
        runner.run(work)


def clock(start: dt.datetime) -> Callable[[], dt.datetime]:
    """Give a clock that shows this time when the loop begins."""
    return lambda: start + dt.timedelta(seconds=asyncio.get_running_loop().time())
