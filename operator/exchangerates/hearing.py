"""What is known of the watches: which are deaf, and which have shown all since a list. Pure: `now` comes in.

Deaf are those that show nothing while lists bring news again and again.

A watch can stay open and silent for ever. What it misses is found by the operator's own lists, or by Kopf's when it
makes a silent watch anew after 70 seconds; either way the news is a list's. One such miss is none yet: the watch that
was made anew shows what comes after it.
"""

from dataclasses import dataclass, field
from typing import Final

DEAF_AFTER_S: Final = 90.0
"""How long lists alone may bring news."""


@dataclass(slots=True)
class Hearing:
    """What is known of the watches, by their names."""

    _missed: dict[str, float] = field(default_factory=dict)
    """The watches that have shown nothing since a list brought news, and since when."""
    _deaf: set[str] = field(default_factory=set)
    _joined: set[str] = field(default_factory=set)
    """The paths of the watches that show all that has happened since a list of the operator's own."""

    def heard(self, watch: str) -> None:
        """Take up that a watch has shown something."""
        self._missed.pop(watch, None)
        self._deaf.discard(watch)

    def missed(self, watch: str, now: float) -> None:
        """Take up that a list has brought news that a watch should have shown."""
        if now - self._missed.setdefault(watch, now) >= DEAF_AFTER_S:
            self._deaf.add(watch)

    def deaf(self) -> list[str]:
        """Name the deaf watches."""
        return sorted(self._deaf)

    def in_doubt(self, now: float) -> bool:
        """Tell whether a watch has missed something lately and shown nothing since: a list soon will tell."""
        return any(now - since < 2 * DEAF_AFTER_S for since in self._missed.values())

    def join(self, path: str) -> None:
        """Take up that the watch of this path begins where a list of the operator's own was made."""
        self._joined.add(path)

    def joined(self) -> int:
        """Count the watches that do."""
        return len(self._joined)

    def begin(self) -> None:
        """Forget everything: all watches are made anew."""
        self._joined.clear()
        self._missed.clear()
        self._deaf.clear()
