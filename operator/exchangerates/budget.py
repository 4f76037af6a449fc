"""How many calls to a rate provider a day may have, and when the next may be made. Pure: `now` comes in.

Any 24 hours count, not a calendar day: whenever a provider's own day begins, no more than the limit fall into it.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

DAY_S: Final = 24 * 3600.0


@dataclass(slots=True)
class Budget:
    """One provider's calls. Times are seconds of any clock that never goes back.

    Attributes:
        limit: The most calls in any 24 hours.
        lengthened: Whether it keeps somebody waiting who wanted a call sooner, since the last call.
    """

    limit: int
    lengthened: bool = False
    _calls: deque[float] = field(default_factory=deque)

    def count(self, at: float) -> None:
        """Count a call; calls are counted in their order."""
        self.lengthened = False
        self._calls.append(at)
        while len(self._calls) > self.limit:
            self._calls.popleft()

    def used(self, now: float) -> int:
        """Give how many calls the last 24 hours had."""
        return sum(1 for at in self._calls if at > now - DAY_S)

    def next_call(self, now: float, *, urgent: bool) -> float:
        """Give the time from which the next call may be made.

        Calls are spread evenly over the day; an urgent one, for an object without a good rate, has to wait only where
        none is left.
        """
        if self.used(now) >= self.limit:
            return self._calls[-self.limit] + DAY_S
        if urgent or not self._calls:
            return now
        return max(now, self._calls[-1] + DAY_S / self.limit)
