"""What comes in from the cluster: lists are the truth, watches only wake.

Both kinds are listed before anything is written and every resync interval after: what the watches have missed is found
then. A watch is deaf that shows nothing while lists bring news again and again: the operator's own, or Kopf's when it
makes a watch anew. A namespace that may not be read keeps nobody else waiting: nothing in it is taken to be gone.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Protocol

from exchangerates.agenda import Agenda
from exchangerates.api import KIND
from exchangerates.aside import Aside, Seen
from exchangerates.errors import ApiError
from exchangerates.hearing import Hearing
from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey
from exchangerates.unreadable import Unreadable

LIST_AGAIN_S: Final = 30.0
"""The pause after a list that failed, and after one that found what the watches have missed."""
LEAST_PAUSE_S: Final = 10.0
"""The least pause between two lists, however often the watches are opened anew."""
LATE_AFTER_S: Final = 300.0
"""How long after two resync intervals the next list is late: one of many pages takes its time."""

logger = logging.getLogger(__name__)


class Lister(Protocol):
    """The calls of `cluster.Cluster` that a list is made of."""

    def list_exchange_rates(  # noqa: D102
        self, namespace: str | None, known: Mapping[ObjectKey, ExchangeRate]
    ) -> AsyncIterator[ExchangeRate]: ...
    def list_config_maps(  # noqa: D102
        self, namespace: str | None, known: Mapping[ObjectKey, ConfigMap]
    ) -> AsyncIterator[ConfigMap]: ...


@dataclass(slots=True)
class Informer:
    """Tells the agenda what the lists and the watches show. Times are the event loop's, in seconds.

    Attributes:
        lister: Lists.
        agenda: Is told, and holds what was observed.
        namespaces: Those that are watched; None is all.
        resync_interval_s: Between two lists.
        listed: Set when everything was listed once.
    """

    lister: Lister
    agenda: Agenda
    namespaces: tuple[str | None, ...]
    resync_interval_s: float
    listed: asyncio.Event = field(default_factory=asyncio.Event)
    in_step: bool = False
    """Whether the last lists of all namespaces were taken up, or are as soon as who was being served is."""
    _aside: Aside = field(init=False)
    _hearing: Hearing = field(default_factory=Hearing)
    _lost: set[str] = field(default_factory=set)
    """The uids of what was seen to go since the last list began: that list may still show it."""
    _reopened: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a watch was opened anew: Kopf may have listed before, and a list does not tell it what is gone."""
    _opened: set[str] = field(default_factory=set)
    _unreadable: Unreadable = field(default_factory=Unreadable)
    _began: float | None = None
    """When the pause before the last list began; None while nothing is listed."""

    def __post_init__(self) -> None:
        self._aside = Aside(self.agenda.schedule.is_out)

    def is_news(self, kind: str, event_type: str | None, body: Mapping[str, Any]) -> bool:
        """Tell whether Kopf is to handle what a watch or a list shows; what else a watch shows tells that it hears."""
        meta = body["metadata"]
        key = ObjectKey(meta["namespace"], meta["name"])
        if event_type == "DELETED":
            return True
        if int(meta["resourceVersion"]) > self.agenda.observed.newest(kind, key):
            seen = ExchangeRate.from_body(body) if kind == KIND else ConfigMap.from_body(body)
            if event_type is None or not self._aside.lays(seen):
                return True
        if event_type is not None:
            self._judge(kind, key, event_type)
        return False

    def is_echo(self, kind: str, resource_version: int) -> bool:
        """Tell whether an event of a watch shows just what the answer to a write has shown; then the watch hears."""
        key = self.agenda.observed.echo(kind, resource_version)
        if key is not None:
            self._judge(kind, key, "MODIFIED")
        return key is not None

    def served(self, key: ObjectKey) -> None:
        """Take up what the watches have shown while an ExchangeRate was served."""
        self._take(self._aside.take(key))

    def watch_exchange_rate(self, event_type: str | None, body: Mapping[str, Any]) -> None:
        """Take up an event of the ExchangeRates' watch; its type is None for what Kopf has listed."""
        self._hear(KIND, ExchangeRate.from_body(body), event_type)

    def watch_config_map(self, event_type: str | None, body: Mapping[str, Any]) -> None:
        """Take up an event of the ConfigMaps' watch; a lost label comes as DELETED too."""
        self._hear("ConfigMap", ConfigMap.from_body(body), event_type)

    async def list_first(self) -> None:
        """List everything, however often that has to be tried."""
        self.stop()
        self.listed.clear()
        self._hearing.begin()
        delay_s = 1.0
        while not self.listed.is_set():
            try:
                await self._resync()
                self.listed.set()
            except ApiError as error:
                logger.warning("the first list failed, it is tried again in %.0f s: %s", delay_s, error)
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, 10.0)
        logger.info("watching %d ExchangeRates", len(self.agenda.observed.exchange_rates))

    async def resync_forever(self) -> None:
        """List again and again: sooner where a list has failed, a watch was opened anew, or one may have gone deaf."""
        least_s, first, failed = min(LEAST_PAUSE_S, self.resync_interval_s), True, False
        while True:
            self._began = _now()
            await asyncio.sleep(least_s)
            behind = first and self._hearing.joined() < 2 * len(self.namespaces)  # Kopf's first list came after ours
            soon = failed or behind or self._hearing.in_doubt(_now())
            pause_s = min(LIST_AGAIN_S, self.resync_interval_s) if soon else self.resync_interval_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s - least_s):
                    await self._reopened.wait()
            self._reopened.clear()
            try:
                await self._resync()
                first = failed = False
            except ApiError as error:
                again_s = min(LIST_AGAIN_S, self.resync_interval_s)
                logger.warning("a list failed, it is tried again in %.0f s: %s", again_s, error)
                failed = True

    def watch_opened(self, path: str) -> None:
        """Take up that a watch of this path is opened: where it is not the first one, a list soon follows."""
        if path in self._opened:
            self._reopened.set()
        self._opened.add(path)

    def watch_joined(self, path: str) -> None:
        """Take up that the watch of this path begins where an own list was made: it misses nothing."""
        self._hearing.join(path)

    def stop(self) -> None:
        """Take no list for late until they begin again."""
        self._began = None

    def problems(self) -> list[str]:
        """Say what has stalled; empty while all is well. An outage of the API server is no stall."""
        deaf = [f"the watch of {watch} is deaf" for watch in self._hearing.deaf()]
        since_s = 0.0 if self._began is None else _now() - self._began
        late = since_s > 2 * self.resync_interval_s + LATE_AFTER_S
        return [f"the resync has not run for {since_s:.0f} s", *deaf] if late else deaf

    async def _resync(self) -> None:
        """Take up what the lists show; what is known and in none of them, and was known before, is gone."""
        observed, self.in_step = self.agenda.observed, False
        self._lost.clear()
        self._take(self._aside.take_all())  # or it would come after the list that does not show it any more
        rates_before = {key: seen.uid for key, seen in observed.exchange_rates.items()}
        maps_before = {key: seen.uid for key, seen in observed.config_maps.items()}
        maps, rates = await self._list()
        for listed_map in maps:
            self._take_listed("ConfigMap", listed_map)
        for listed_rate in rates:
            self._take_listed(KIND, listed_rate)
        for key in filter(self._unreadable.may_be_gone, rates_before.keys() - {seen.key for seen in rates}):
            if self.agenda.lose_exchange_rate(key, rates_before[key]):
                logger.info("ExchangeRate %s is gone and its DELETED event was lost", key)
                self._judge(KIND, key, None)
        for key in filter(self._unreadable.may_be_gone, maps_before.keys() - {seen.key for seen in maps}):
            if self.agenda.lose_config_map(key, maps_before[key]):
                self._judge("ConfigMap", key, None)
        self.in_step = not self._unreadable.namespaces

    def _take_listed(self, kind: str, seen: Seen) -> None:
        """Take up what no watch has shown. Of who is being served it waits, and is no miss: it may be an own write."""
        known = seen.resource_version <= self.agenda.observed.newest(kind, seen.key)
        if not known and seen.uid not in self._lost and not self._aside.lays(seen) and self._take([seen]):
            self._judge(kind, seen.key, None)

    async def _list(self) -> tuple[list[ConfigMap], list[ExchangeRate]]:
        """List both kinds in all namespaces that may be read; there has to be one."""
        observed = self.agenda.observed
        maps, rates, refused = list[ConfigMap](), list[ExchangeRate](), dict[str | None, ApiError]()
        for namespace in self.namespaces:
            try:
                found = [seen async for seen in self.lister.list_config_maps(namespace, observed.config_maps)]
                rates += [seen async for seen in self.lister.list_exchange_rates(namespace, observed.exchange_rates)]
            except ApiError as error:
                if error.status != HTTPStatus.FORBIDDEN:
                    raise  # it says nothing of this namespace
                refused[namespace] = error
            else:
                maps += found
        if len(refused) == len(self.namespaces):
            raise next(iter(refused.values()))
        self._unreadable.note({namespace: str(error) for namespace, error in refused.items()})
        return maps, rates

    def _hear(self, kind: str, seen: Seen, event_type: str | None) -> None:
        """Take up what a watch has shown of an object, and judge the watch by it."""
        if event_type == "DELETED":
            self._take(self._aside.take_before(seen))  # what is not known cannot be missed
            self._lost.add(seen.uid)
            news = self._lose(seen)
        else:
            news = self._take([seen])
        if news or event_type is not None:
            self._judge(kind, seen.key, event_type)

    def _take(self, objects: Iterable[Seen]) -> bool:
        """Take up objects as they were seen; True where any is news."""
        take_rate, take_map = self.agenda.take_exchange_rate, self.agenda.take_config_map
        taken = [take_rate(seen) if isinstance(seen, ExchangeRate) else take_map(seen) for seen in objects]
        return any(taken)

    def _lose(self, seen: Seen) -> bool:
        if isinstance(seen, ExchangeRate):
            return self.agenda.lose_exchange_rate(seen.key, seen.uid)
        if seen.resource_version < self.agenda.observed.newest("ConfigMap", seen.key):
            return False  # its label was taken, and the operator has set it again
        self.agenda.observed.note_gone(seen.key, seen.resource_version)
        return self.agenda.lose_config_map(seen.key, seen.uid)

    def _judge(self, kind: str, key: ObjectKey, event_type: str | None) -> None:
        """Judge a watch by an event of it, or by news that a list has brought: then the type is None."""
        watch = f"{kind}s" if None in self.namespaces else f"{kind}s in {key.namespace}"
        if event_type is not None:
            self._hearing.heard(watch)
        elif self.listed.is_set():
            self._hearing.missed(watch, _now())


def _now() -> float:
    return asyncio.get_running_loop().time()
