"""What is due when: a heap of (due time, key) with two lanes. Pure: no clock, no tasks, `now` comes in.

Keys that were woken (new, changed, damaged) are served before keys whose refresh is due, and one key is never handed
out twice at once: what wakes it while it is out makes it due again when it comes back.
"""

import heapq
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
_MOST_DOUBLINGS = 32
"""More would change nothing, and a thousand overflow a float."""


def backoff_s(times: int, first_s: float, most_s: float) -> float:
    """Give the pause after something has failed this many times in a row: twice as long each time, up to a limit."""
    return min(first_s * 2.0 ** min(times - 1, _MOST_DOUBLINGS), most_s)


@dataclass(slots=True)
class Schedule(Generic[K]):
    """The times are seconds of any clock that never goes back, the same for all calls."""

    _due: dict[K, float] = field(default_factory=dict)
    """The time at which a key is due; the heap may hold older, void entries of the same key."""
    _heap: list[tuple[float, int, K]] = field(default_factory=list)
    _woken: deque[K] = field(default_factory=deque)
    _waiting: dict[K, float] = field(default_factory=dict)
    """The keys in `_woken` that still want to be served, and since when; the first waits longest."""
    _out: set[K] = field(default_factory=set)
    _serial: int = 0
    """Breaks ties in the heap, so that keys need no order."""

    def wake(self, key: K, now: float) -> None:
        """Serve a key as soon as possible; a later due time of it stays as it is."""
        if key not in self._waiting:
            self._waiting[key] = now
            if key not in self._out:
                self._woken.append(key)

    def at(self, key: K, due: float) -> None:
        """Set the time at which a key is due, in place of an earlier or later one."""
        self._due[key] = due
        self._serial += 1
        heapq.heappush(self._heap, (due, self._serial, key))

    def forget(self, key: K) -> None:
        """Drop a key from both lanes."""
        self._waiting.pop(key, None)
        self._due.pop(key, None)

    def pop(self, now: float) -> K | None:
        """Hand out the next key to serve, or None. Its holder calls `done` afterwards."""
        while self._woken:
            key = self._woken.popleft()
            if key in self._waiting and key not in self._out:
                del self._waiting[key]
                self._out.add(key)
                return key
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) != due:
                continue
            del self._due[key]
            if key in self._out:
                self._waiting.setdefault(key, now)
                continue
            self._out.add(key)
            return key
        return None

    def done(self, key: K) -> None:
        """Take a handed-out key back."""
        self._out.discard(key)
        if key in self._waiting:
            self._woken.append(key)

    def next_due(self) -> float | None:
        """Give the time of the next due key, or None; not for woken keys, which are due at once."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def backlog(self, now: float) -> int:
        """Count the keys that wait to be served at once."""
        return len(self._waiting.keys() | {key for key, due in self._due.items() if due <= now})

    def lag_s(self, now: float) -> float:
        """Give how long the key has waited that waits longest, in seconds; 0 where none does."""
        due = self.next_due()
        return max(now - next(iter(self._waiting.values()), now), 0.0 if due is None else now - due, 0.0)
