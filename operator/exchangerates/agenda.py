"""What has to be done next: what was seen of the cluster, turned into keys to serve. No I/O; `now` comes from outside.

It knows for every object when a newer quote is wanted, how often it failed, and how often its ConfigMap was repaired.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from exchangerates.api import Reason
from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey
from exchangerates.observed import Observed
from exchangerates.schedule import Schedule, backoff_s

MAX_BACKOFF_S: Final = 300.0
REFRESH_JITTER: Final = 0.05
MAX_JITTER_S: Final = 60.0
REPAIRS_AT_ONCE: Final = 3
"""How often a ConfigMap is put back without a pause before somebody else is taken to be fighting for it."""


@dataclass(slots=True)
class Memory:
    """What is remembered of one object between passes.

    Attributes:
        refresh_at: When a newer quote is wanted: 0 for at once, infinity while a pass looks for one.
        failures: Passes in a row that failed.
        repairs: Looks at its ConfigMap and status since the last refresh, because somebody else had changed one.
        repairing: Whether such a look is planned.
        repair_at: When it is planned for, infinity where there is none or it is due at once.
        reason: The reason of its last pass.
    """

    refresh_at: float = 0.0
    failures: int = 0
    repairs: int = 0
    repairing: bool = False
    repair_at: float = math.inf
    reason: Reason | None = None


@dataclass(slots=True)
class Agenda:
    """The keys to serve, and what is remembered of each object.

    Attributes:
        observed: What was seen; kept up to date here.
        now: Seconds of a clock that never goes back.
        woken: Called when something became due.
    """

    observed: Observed
    now: Callable[[], float]
    woken: Callable[[], None]
    schedule: Schedule[ObjectKey] = field(default_factory=lambda: Schedule(group=lambda key: key.namespace))
    _memories: dict[ObjectKey, Memory] = field(default_factory=dict)
    _contenders: dict[ObjectKey, set[ObjectKey]] = field(default_factory=dict)
    """The objects that wait for a ConfigMap's name to become free, by the ConfigMap."""
    _wanted: dict[ObjectKey, ObjectKey] = field(default_factory=dict)
    """The ConfigMaps that they wait for."""

    def reasons(self) -> Mapping[Reason | None, int]:
        """Count the objects by the reason of their last pass."""
        counts: dict[Reason | None, int] = {}
        for memory in self._memories.values():
            counts[memory.reason] = counts.get(memory.reason, 0) + 1
        return counts

    def memory(self, key: ObjectKey) -> Memory | None:
        """Give what is remembered of an object; None for one that is not to be served."""
        return self._memories.get(key)

    def take_exchange_rate(self, seen: ExchangeRate) -> bool:
        """Take up an ExchangeRate as it was seen; False where as new a one is known."""
        known = self.observed.exchange_rates.get(seen.key)
        if not self.observed.note_exchange_rate(seen):
            return False
        if seen.deleting:
            self._forget(seen.key)
            return True
        if known is None or known.uid != seen.uid or seen.key not in self._memories:
            self._memories[seen.key] = Memory()
            if known is None and self._is_whole(seen):
                self.schedule.at(seen.key, self.now())  # at a start: after those that want something
                self.woken()
                return True
        elif _wishes(seen) != _wishes(known):
            self._memories[seen.key].refresh_at = 0.0
        else:
            if self.observed.exchange_rates[seen.key].written is not None:
                self._repair(seen.key)
            return True
        self._wake(seen.key)
        return True

    def lose_exchange_rate(self, key: ObjectKey, uid: str) -> bool:
        """Take up that this very ExchangeRate is gone; False where it was not known."""
        if not self.observed.drop_exchange_rate(key, uid=uid):
            return False
        self._forget(key)
        return True

    def let_go(self, owner: ExchangeRate) -> None:
        """Serve this very ExchangeRate no more until it is seen changed; it stays known: to a list it is no news."""
        known = self.observed.exchange_rates.get(owner.key)
        if known is not None and known.uid == owner.uid:
            self._forget(owner.key)

    def take_config_map(self, seen: ConfigMap) -> bool:
        """Take up a ConfigMap as it was seen; False where as new a one is known."""
        known = self.observed.config_maps.get(seen.key)
        if not self.observed.note_config_map(seen):
            return False
        owners = {seen.owner_name}
        if known is not None and (known.uid, known.owner_uid) != (seen.uid, seen.owner_uid):
            owners.add(known.owner_name)
            self._wake_contenders(seen.key)
        for name in owners - {None}:
            self._repair(ObjectKey(seen.key.namespace, str(name)))
        return True

    def lose_config_map(self, key: ObjectKey, uid: str) -> bool:
        """Take up that this very ConfigMap is gone; False where it was not known."""
        known = self.observed.config_maps.get(key)
        lost = self.observed.drop_config_map(key, uid=uid)
        if lost and known is not None and known.owner_name is not None:
            self._repair(ObjectKey(key.namespace, known.owner_name))
        self._wake_contenders(key)
        return lost

    def begin(self, key: ObjectKey) -> bool:
        """Begin an object's pass; True where it is to look for a newer quote. A wish that comes meanwhile stays."""
        memory = self._memories[key]
        planned = memory.refresh_at <= self.now()
        memory.repairing, memory.repair_at = False, math.inf
        if planned:
            memory.repairs, memory.refresh_at = 0, math.inf
        return planned

    def look_now(self, key: ObjectKey) -> None:
        """Have an object look for a newer quote; one that is served already, after the new and the changed ones."""
        memory, seen = self._memories.get(key), self.observed.exchange_rates.get(key)
        if memory is None or seen is None:
            return
        memory.refresh_at = 0.0
        if self._is_whole(seen):
            self.schedule.at(key, self.now())
            self.woken()
        else:
            self._wake(key)

    def plan(self, key: ObjectKey, reason: Reason | None, again_s: float | None) -> None:
        """Set an object's next pass.

        Args:
            key: The object.
            reason: How its pass ended.
            again_s: Seconds until the next pass; 0 keeps the refresh that is planned, None backs off, twice as long
                with every failure.
        """
        memory, now = self._memories.get(key), self.now()
        if memory is None:
            return
        memory.reason = reason
        self._contend(key, _target(self.observed.exchange_rates[key]) if reason is Reason.TARGET_CONFLICT else None)
        if again_s is None:
            if memory.refresh_at == math.inf:
                memory.refresh_at = now
            memory.failures += 1
            due = now + backoff_s(memory.failures, 2.0, MAX_BACKOFF_S) * random.uniform(0.75, 1.0)  # noqa: S311 - jitter, not a secret
        else:
            memory.failures = 0
            if memory.refresh_at == 0.0:
                return  # wished for while the pass ran: it is woken already
            if again_s > 0.0 or not now < memory.refresh_at < math.inf:
                jitter_s = min(REFRESH_JITTER * again_s, MAX_JITTER_S)
                memory.refresh_at = now + again_s + random.uniform(0.0, jitter_s)  # noqa: S311
            due = memory.refresh_at
        self.schedule.at(key, min(due, memory.repair_at))

    def _is_whole(self, seen: ExchangeRate) -> bool:
        """Tell whether an earlier process has served an object as it is now, and its ConfigMap is there."""
        held = self.observed.config_maps.get(ObjectKey(seen.key.namespace, str(seen.status.get("configMapName"))))
        return (
            seen.status.get("observedGeneration") == seen.generation and held is not None and held.owner_uid == seen.uid
        )

    def _repair(self, key: ObjectKey) -> None:
        """Look at what somebody else has changed: at once, or in growing intervals where it happens again and again."""
        memory = self._memories.get(key)
        if memory is None or memory.repairing:
            return
        memory.repairing = True
        memory.repairs += 1
        if memory.repairs <= REPAIRS_AT_ONCE:
            self._wake(key)
            return
        memory.repair_at = self.now() + backoff_s(memory.repairs - REPAIRS_AT_ONCE, 2.0, MAX_BACKOFF_S)
        self.schedule.at(key, min(memory.repair_at, memory.refresh_at))
        self.woken()

    def _contend(self, key: ObjectKey, target: ObjectKey | None) -> None:
        """Let an object wait for a ConfigMap's name to become free, or for none."""
        former = self._wanted.pop(key, None)
        if former is not None:
            self._contenders[former].discard(key)
            if not self._contenders[former]:
                del self._contenders[former]
        if target is not None:
            self._wanted[key] = target
            self._contenders.setdefault(target, set()).add(key)

    def _wake_contenders(self, target: ObjectKey) -> None:
        """Wake those that wait for a ConfigMap name to become free."""
        for key in self._contenders.get(target, ()):
            self._wake(key)

    def _wake(self, key: ObjectKey) -> None:
        if key in self._memories:
            self.schedule.wake(key, self.now())
            self.woken()

    def _forget(self, key: ObjectKey) -> None:
        self._memories.pop(key, None)
        self._contend(key, None)
        self.schedule.forget(key)


def _wishes(seen: ExchangeRate) -> tuple[object, ...]:
    """Give what makes the operator look at once where it changes."""
    return seen.generation, seen.refresh_request, seen.approval


def _target(seen: ExchangeRate) -> ObjectKey:
    """Give the ConfigMap that an object asks for."""
    target = seen.spec.get("target")
    name = target.get("name") if isinstance(target, Mapping) else None
    return ObjectKey(seen.key.namespace, str(name or seen.key.name))
