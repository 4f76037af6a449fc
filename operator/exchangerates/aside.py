"""Events that came while a pass over their object was under way: they may be the echoes of its own writes.

A watch often shows a write before its answer is here. Until then nobody can tell the echo from news, and for news Kopf
takes as long as a pass does. What came for an object that is being served can wait: it is not served twice at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from exchangerates.objects import ObjectKey


class Event(NamedTuple):
    """An event of a watch, or with None for a type what a list has shown."""

    kind: str
    type: str | None
    body: Mapping[str, Any]


@dataclass(slots=True)
class Aside:
    """The last event of each object, for as long as the pass over its ExchangeRate goes on."""

    _events: dict[tuple[str, ObjectKey], tuple[ObjectKey, Event]] = field(default_factory=dict)
    """By kind and key; with the ExchangeRate that is being served."""

    def put(self, key: ObjectKey, served: ObjectKey, event: Event) -> None:
        """Lay an event aside, in place of an earlier one of the same object."""
        self._events[event.kind, key] = (served, event)

    def take(self, kind: str, key: ObjectKey) -> list[Event]:
        """Give back what was laid aside of an object."""
        _, event = self._events.pop((kind, key), (None, None))
        return [] if event is None else [event]

    def take_all(self, served: ObjectKey) -> list[Event]:
        """Give back what was laid aside while this ExchangeRate was served."""
        places = [place for place, (key, _) in self._events.items() if key == served]
        return [self._events.pop(place)[1] for place in places]
