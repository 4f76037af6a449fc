"""What the watches and lists have shown of the cluster, and what the operator itself has written and remembers.

Two sources feed it, and neither is in order with the other: only the newer resource version counts (they are comparable
numbers: Kubernetes promises it since 1.35, etcd has always made it so).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from exchangerates.api import KIND
from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey

MAX_GONE: Final = 4096
"""Of how many ConfigMaps that are gone it is kept when they went: an answer that is still to come is soon there."""

MAX_ECHOES: Final = 4096
"""Of how many writes it is kept that a watch is to show them: most do within milliseconds."""

_TIMES: Final = frozenset({"lastTransitionTime", "time"})
"""The times in a status that are not published; `publishedAt` is."""


@dataclass(slots=True)
class Observed:
    """Both kinds, by key. Every `note_*` answers whether it changed anything."""

    exchange_rates: dict[ObjectKey, ExchangeRate] = field(default_factory=dict)
    config_maps: dict[ObjectKey, ConfigMap] = field(default_factory=dict)
    _owned: defaultdict[str, set[ObjectKey]] = field(default_factory=lambda: defaultdict(set))
    _gone: dict[ObjectKey, int] = field(default_factory=dict)
    """The resource version at which a ConfigMap was told to be gone, of the last ones."""
    _echoes: dict[tuple[str, int], ObjectKey] = field(default_factory=dict)
    """What the last writes have made, by its kind and resource version, until a watch shows it."""

    def note_exchange_rate(self, seen: ExchangeRate) -> bool:
        """Take up an ExchangeRate unless a newer one is known."""
        known = self.exchange_rates.get(seen.key)
        if known is not None and seen.resource_version <= known.resource_version:
            return False
        if known is not None and known.uid == seen.uid:
            seen = _with_memory(seen, known.remembered, known.tried)
        self.exchange_rates[seen.key] = seen
        return True

    def note_status(self, written: ExchangeRate) -> None:
        """Take up an ExchangeRate whose status the operator has written, unless it is gone meanwhile."""
        known = self.exchange_rates.get(written.key)
        if known is not None and known.uid == written.uid:
            newest = written if written.resource_version > known.resource_version else known
            self.exchange_rates[written.key] = _with_memory(newest, written.status, known.tried)
        self._await_echo(KIND, written)

    def note_tried(self, owner: ExchangeRate, tried: Mapping[str, Any] | None) -> None:
        """Take up what may have been published, as a status tells it; None for nothing."""
        known = self.exchange_rates.get(owner.key)
        if known is not None and known.uid == owner.uid:
            self.exchange_rates[owner.key] = replace(known, tried=tried)

    def note_published(self, owner: ExchangeRate, status: Mapping[str, Any]) -> ExchangeRate:
        """Take up the status that tells what was published, before it is written; give the owner with that memory."""
        known = self.exchange_rates.get(owner.key)
        if known is not None and known.uid == owner.uid:
            known = self.exchange_rates[owner.key] = _with_memory(known, status, None)
            if known.resource_version == owner.resource_version:
                return known
        return _with_memory(owner, status, None)

    def note_written(self, written: ConfigMap) -> None:
        """Take up a ConfigMap that the operator has written, unless a newer one is known."""
        self.note_config_map(written)
        self._await_echo("ConfigMap", written)

    def note_config_map(self, seen: ConfigMap) -> bool:
        """Take up a ConfigMap unless a newer one is known, or that it is gone by now."""
        known = self.config_maps.get(seen.key)
        newest = self._gone.get(seen.key, 0) if known is None else known.resource_version
        if seen.resource_version <= newest:
            return False
        self.drop_config_map(seen.key)
        self.config_maps[seen.key] = seen
        if seen.owner_uid is not None:
            self._owned[seen.owner_uid].add(seen.key)
        return True

    def drop_exchange_rate(self, key: ObjectKey, *, uid: str | None = None) -> bool:
        """Forget an ExchangeRate; with a uid, only that one."""
        known = self.exchange_rates.get(key)
        if known is None or uid not in (None, known.uid):
            return False
        del self.exchange_rates[key]
        return True

    def drop_config_map(self, key: ObjectKey, *, uid: str | None = None) -> bool:
        """Forget a ConfigMap; with a uid, only that one."""
        known = self.config_maps.get(key)
        if known is None or uid not in (None, known.uid):
            return False
        del self.config_maps[key]
        if known.owner_uid is not None:
            owned = self._owned[known.owner_uid]
            owned.discard(key)
            if not owned:
                del self._owned[known.owner_uid]
        return True

    def drop_seen(self, seen: ConfigMap) -> None:
        """Forget a ConfigMap as it was seen; what was seen later stays, or the next list would bring it as news."""
        known = self.config_maps.get(seen.key)
        if known is not None and known.resource_version <= seen.resource_version:
            self.drop_config_map(seen.key)

    def note_gone(self, key: ObjectKey, resource_version: int) -> None:
        """Take up that a ConfigMap was gone at a resource version: the answer to an earlier write may still come."""
        self._gone.pop(key, None)
        self._gone[key] = resource_version
        if len(self._gone) > MAX_GONE:
            del self._gone[next(iter(self._gone))]

    def newest(self, kind: str, key: ObjectKey) -> int:
        """Give the resource version at which an object of a kind is known; 0 where it is not."""
        known = self.exchange_rates.get(key) if kind == KIND else self.config_maps.get(key)
        return 0 if known is None else known.resource_version

    def echo(self, kind: str, resource_version: int) -> ObjectKey | None:
        """Give the key of what a write has made at a resource version, once, where that is known still."""
        key = self._echoes.pop((kind, resource_version), None)
        return None if key is None or self.newest(kind, key) < resource_version else key

    def _await_echo(self, kind: str, written: ExchangeRate | ConfigMap) -> None:
        self._echoes[kind, written.resource_version] = written.key
        if len(self._echoes) > MAX_ECHOES:
            del self._echoes[next(iter(self._echoes))]

    def owned_by(self, owner: ExchangeRate) -> Iterator[ConfigMap]:
        """Give the known ConfigMaps whose controller is this object; who names it in another namespace is a liar."""
        for key in tuple(self._owned.get(owner.uid, ())):
            if key.namespace == owner.key.namespace:
                yield self.config_maps[key]


def _with_memory(seen: ExchangeRate, status: Mapping[str, Any], tried: Mapping[str, Any] | None) -> ExchangeRate:
    """Give an object with what is remembered of its status, where that says something else than what is stored.

    Times are no other word: two operators that agree would take turns in putting theirs for ever.
    """
    written = None if _say_the_same(seen.status, status) else status
    return seen if seen.written is written and seen.tried is tried else replace(seen, written=written, tried=tried)


def _say_the_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - any parts of a status
    """Tell whether two parts of a status are equal but for their times."""
    if one == other:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        names = (one.keys() | other.keys()) - _TIMES
        return all(name in one and name in other and _say_the_same(one[name], other[name]) for name in names)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_say_the_same, one, other))
    return False
