"""What is due when: a heap of (due time, key) with two lanes. Pure: no clock, no tasks, `now` comes in.

Keys that were woken (new, changed, damaged) are served before keys whose refresh is due; but where the woken never end,
every tenth is a due one all the same. Of the due ones only some are out at once: the rest of the places is the woken
ones'. Within a lane the groups of keys take turns: who has, or touches, thousands of objects makes nobody else's wait
for them. One key is never handed out twice at once: what wakes it while it is out makes it due when it comes back.
"""

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
WOKEN_IN_A_ROW: Final = 9
"""How many woken keys are served at most while one is due."""
DUE_AT_ONCE: Final = 28
"""How many due keys are out at once. Forty may be done a little sooner, and keep an API server on two cores so
busy that its watches tell of a new object up to a second late; with so many it is a fifth of that."""
MOST_VOID: Final = 64
"""How many void entries there may be of due times, beside as many again as there are due keys."""
_MOST_DOUBLINGS = 32
"""More would change nothing, and a thousand overflow a float."""


def backoff_s(times: int, first_s: float, most_s: float) -> float:
    """Give the pause after something has failed this many times in a row: twice as long each time, up to a limit."""
    return min(first_s * 2.0 ** min(times - 1, _MOST_DOUBLINGS), most_s)


@dataclass(slots=True)
class Turns(Generic[K]):
    """Keys in the order in which they came, of one group after the other."""

    group: Callable[[K], Hashable]
    _queues: OrderedDict[Hashable, deque[K]] = field(default_factory=OrderedDict)
    """By group; the first one's turn is next, and none is empty."""

    def __bool__(self) -> bool:
        return bool(self._queues)

    def put(self, key: K) -> None:
        """Append a key."""
        self._queues.setdefault(self.group(key), deque()).append(key)

    def take(self) -> K:
        """Remove the next key; there has to be one."""
        group, queue = next(iter(self._queues.items()))
        key = queue.popleft()
        if queue:
            self._queues.move_to_end(group)
        else:
            del self._queues[group]
        return key


@dataclass(slots=True)
class Schedule(Generic[K]):
    """The times are seconds of any clock that never goes back, the same for all calls.

    Attributes:
        group: Gives a key's group, of those that take turns.
    """

    group: Callable[[K], Hashable]
    _due: dict[K, float] = field(default_factory=dict)
    """The time at which a key is due; the heap may hold older, void entries of the same key."""
    _heap: list[tuple[float, int, K]] = field(default_factory=list)
    _ripe: Turns[K] = field(init=False)
    """Keys whose time has come; void where it was put off since."""
    _ripe_since: dict[K, float] = field(default_factory=dict)
    """The due times of the keys in `_ripe`."""
    _woken: Turns[K] = field(init=False)
    _waiting: dict[K, float] = field(default_factory=dict)
    """The keys in `_woken` that still want to be served, and since when; the first waits longest."""
    _out: set[K] = field(default_factory=set)
    _out_due: set[K] = field(default_factory=set)
    """Those of them that were due, not woken."""
    _serial: int = 0
    """Breaks ties in the heap, so that keys need no order."""
    _in_a_row: int = 0
    """How many woken keys were served since the last due one."""

    def __post_init__(self) -> None:
        self._ripe, self._woken = Turns(self.group), Turns(self.group)

    def wake(self, key: K, now: float) -> None:
        """Serve a key as soon as possible; a later due time of it stays as it is."""
        if key not in self._waiting:
            self._waiting[key] = now
            if key not in self._out:
                self._woken.put(key)

    def at(self, key: K, due: float) -> None:
        """Set the time at which a key is due, in place of an earlier or later one."""
        if self._due.get(key) == due:
            return
        self._due[key] = due
        self._serial += 1
        heapq.heappush(self._heap, (due, self._serial, key))
        if len(self._heap) > 2 * len(self._due) + MOST_VOID:
            self._drop_void()

    def _drop_void(self) -> None:
        """Make the heap anew: who is woken each second and due in a month would have it grow for a month."""
        valid = {entry[2]: entry for entry in self._heap if self._due.get(entry[2]) == entry[0]}
        self._heap = list(valid.values())
        heapq.heapify(self._heap)

    def forget(self, key: K) -> None:
        """Drop a key from both lanes."""
        self._waiting.pop(key, None)
        self._due.pop(key, None)

    def pop(self, now: float) -> K | None:
        """Hand out the next key to serve; None where none is due, or too many are out. `done` takes it back."""
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due and key not in self._ripe_since:
                self._ripe_since[key] = due
                self._ripe.put(key)
        if self._in_a_row < WOKEN_IN_A_ROW and (woken := self._pop_woken()) is not None:
            self._in_a_row += 1
            return woken
        self._in_a_row = 0
        ripe = self._pop_ripe(now)
        return self._pop_woken() if ripe is None else ripe

    def _pop_woken(self) -> K | None:
        while self._woken:
            key = self._woken.take()
            if key in self._waiting and key not in self._out:
                del self._waiting[key]
                self._out.add(key)
                return key
        return None

    def _pop_ripe(self, now: float) -> K | None:
        while self._ripe and len(self._out_due) < DUE_AT_ONCE:
            key = self._ripe.take()
            del self._ripe_since[key]
            if self._due.get(key, now + 1.0) > now:
                continue
            del self._due[key]
            if key in self._out:
                self._waiting.setdefault(key, now)
                continue
            self._out.add(key)
            self._out_due.add(key)
            return key
        return None

    def done(self, key: K) -> None:
        """Take a handed-out key back."""
        self._out.discard(key)
        self._out_due.discard(key)
        if key in self._waiting:
            self._woken.put(key)

    def is_out(self, key: K) -> bool:
        """Tell whether a key is handed out."""
        return key in self._out

    def next_due(self) -> float | None:
        """Give the time at which the next key becomes due, or None; not for those that only wait for a place."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def backlog(self, now: float) -> int:
        """Count the keys that wait to be served at once."""
        return len(self._waiting.keys() | {key for key, due in self._due.items() if due <= now})

    def lag_s(self, now: float) -> float:
        """Give how long the key has waited that waits longest, in seconds; 0 where none does."""
        ripe = (since for key, since in self._ripe_since.items() if self._due.get(key) == since)
        due, waiting = self.next_due(), next(iter(self._waiting.values()), now)
        return now - min(now, waiting, min(ripe, default=now), now if due is None else due)
