"""What was shown of objects that are being served: it may be the echo of a write that is not answered yet.

A watch, or a list, often shows a write before its answer is here. Until then nobody can tell the echo from news, and
for news Kopf takes as long as a pass does. What came for an object that is being served can wait: it is not served
twice at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey

Seen = ExchangeRate | ConfigMap


@dataclass(slots=True)
class Aside:
    """The last that was shown of each object, until the pass over its ExchangeRate has ended.

    Attributes:
        is_served: Tells whether a pass over an ExchangeRate is under way.
    """

    is_served: Callable[[ObjectKey], bool]
    _seen: dict[ObjectKey, dict[tuple[type[Seen], ObjectKey], Seen]] = field(default_factory=dict)
    """By the ExchangeRate that is served."""

    def lays(self, seen: Seen) -> bool:
        """Lay aside what was shown of an object, the newest of it; False where it is not being served."""
        served = _served(seen)
        if served is None or not self.is_served(served):
            return False
        held = self._seen.setdefault(served, {})
        before = held.get((type(seen), seen.key))
        if before is None or before.resource_version < seen.resource_version:
            held[type(seen), seen.key] = seen
        return True

    def take(self, served: ObjectKey) -> list[Seen]:
        """Give back what was laid aside while this ExchangeRate was served."""
        return list(self._seen.pop(served, {}).values())

    def take_all(self) -> list[Seen]:
        """Give back everything."""
        return [seen for served in tuple(self._seen) for seen in self.take(served)]

    def take_before(self, gone: Seen) -> list[Seen]:
        """Give back what was laid aside of an object before it was gone; what came after that stays."""
        served = _served(gone)
        held = self._seen.get(served, {}) if served is not None else {}
        seen = held.get((type(gone), gone.key))
        if seen is None or seen.resource_version > gone.resource_version:
            return []
        return [held.pop((type(gone), gone.key))]


def _served(seen: Seen) -> ObjectKey | None:
    """Give the ExchangeRate that an object is or belongs to, or None."""
    if isinstance(seen, ExchangeRate):
        return seen.key
    return None if seen.owner_name is None else ObjectKey(seen.key.namespace, seen.owner_name)
