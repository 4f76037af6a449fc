"""One pass for one object: from what was observed to what is desired. No kopf, no clock, no environment.

A pass that finds everything as it should be writes nothing. One that fails keeps the last good ConfigMap and says why.
"""

import datetime as dt
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from exchangerates import configmap, held, lookup, memory, publisher, status
from exchangerates.api import Condition, Reason
from exchangerates.bounded import MAX_SPEC_CHARS
from exchangerates.errors import (
    ApiError,
    FetchUnderWay,
    InvalidSpec,
    OwnerGone,
    ReconcileError,
    Suspended,
    TargetConflict,
    TargetRefused,
)
from exchangerates.lookup import Lookup
from exchangerates.objects import ExchangeRate
from exchangerates.observed import Observed
from exchangerates.publication import Publication, age_of_day_s
from exchangerates.publisher import ANOTHER_OBJECT, Publisher
from exchangerates.rates import rfc3339
from exchangerates.spec import Defaults, ExchangeRateSpec, parse_spec

logger = logging.getLogger(__name__)


class Cluster(publisher.Cluster, Protocol):
    """The calls of `cluster.Cluster` that a pass makes."""

    async def patch_status(self, owner: ExchangeRate, patch: Mapping[str, Any]) -> ExchangeRate: ...  # noqa: D102
    async def create_event(  # noqa: D102
        self, owner: ExchangeRate, *, warning: bool, reason: Reason, message: str, time: str
    ) -> None: ...


class Rates(lookup.Rates, Protocol):
    """The calls of `rate_tables.RateTables` that passes make."""

    def remember(self, provider: str, ago_s: float) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass ended.

    Attributes:
        reason: The reason of the object's Ready condition; None where the object is gone and to be forgotten.
        again_s: Seconds until the next pass, or None for the object's own backoff.
    """

    reason: Reason | None
    again_s: float | None


_NO_TARGET: Final = (InvalidSpec, TargetConflict, TargetRefused)
"""What says that the ConfigMap cannot be as the spec wants it."""
GONE: Final = Outcome(None, None)


class Reconciler:
    """Makes passes over objects of one cluster."""

    def __init__(self, cluster: Cluster, rates: Rates, observed: Observed, defaults: Defaults) -> None:
        self._cluster = cluster
        self._rates = rates
        self._observed = observed
        self._defaults = defaults
        self._publisher = Publisher(cluster, observed)

    def resume(self, owners: Iterable[ExchangeRate], now: dt.datetime) -> None:
        """Take up what an earlier process has done and not told.

        It may have ended after it wrote a ConfigMap and before it wrote the status: then the quote in it was published,
        where nobody else has set it. And it has called the rate providers when something was published, at the least.
        """
        known = tuple(owners)
        published = {owner.uid: held.untold(self._observed, owner) for owner in known}
        for owner in known:
            self._observed.note_tried(owner, published[owner.uid])
        told = (published[owner.uid] or owner.remembered for owner in known)
        found = {publication for status in told if (publication := memory.last_publication(status))}
        for provider, when in sorted(found, key=lambda publication: publication[1]):
            self._rates.remember(provider, max((now - when).total_seconds(), 0.0))

    async def reconcile(self, owner: ExchangeRate, now: dt.datetime, *, refresh: bool) -> Outcome:
        """Bring one object's ConfigMap and status to what its spec asks for.

        Args:
            owner: The object as it was last seen; not a terminating one.
            now: The time, UTC.
            refresh: Whether a newer quote is wanted. Otherwise the published one serves where it answers the spec: a
                repair waits for no rate provider.

        Raises:
            ApiError: The API server failed or refused in a way that only time or a newer observation heals.
            FetchUnderWay: The quote is on its way; nothing was done, and the pass is to be made again.
        """
        spec: ExchangeRateSpec | None = None
        try:
            try:
                spec = self._spec_of(owner)
                written = held.data(self._observed, owner, spec.target.name)
                found = Lookup(self._rates, owner, spec, written, now).find(refresh=refresh)
                owner = await self._publish(owner, spec, found.published, now)
                await self._publisher.drop_former(owner, spec.target)
            except ReconcileError as error:
                return await self._fail(owner, spec or self._without_target(owner), error, now, refresh=refresh)
            except (ApiError, OwnerGone, FetchUnderWay):
                raise
            except Exception as error:  # what nobody foresaw costs one object its turn, and says so
                logger.exception(
                    "ExchangeRate %s: the pass failed; it is tried again, report this traceback", owner.key
                )
                unforeseen = ReconcileError(f"{type(error).__name__} in the operator; its log has the traceback")
                return await self._fail(owner, spec, unforeseen, now, refresh=refresh)
            desired = status.desired_published(owner, spec, found.published, now, refreshed=refresh and found.looked)
            reason = await self._report(owner, desired, now)
        except OwnerGone:
            return GONE
        until_stale_s = spec.max_age_s - found.published.age_s(now)
        return Outcome(reason, min(found.usable_s, until_stale_s + 1) if until_stale_s > 0 else found.usable_s)

    def _spec_of(self, owner: ExchangeRate) -> ExchangeRateSpec:
        if owner.too_large:
            raise InvalidSpec("target", f"the spec is larger than {MAX_SPEC_CHARS} bytes; write fewer annotations")
        return parse_spec(owner.key.name, owner.spec, self._defaults)

    def _without_target(self, owner: ExchangeRate) -> ExchangeRateSpec | None:
        """Give what a spec says besides, whose target is wrong: how old the rate may be, and what if it is."""
        try:
            return parse_spec(owner.key.name, {**owner.spec, "target": None}, self._defaults)
        except InvalidSpec:
            return None

    async def _publish(
        self, owner: ExchangeRate, spec: ExchangeRateSpec, published: Publication, now: dt.datetime
    ) -> ExchangeRate:
        """Write the ConfigMap, and remember it at once: the status may not be written, nor the answer be heard."""
        data, told = configmap.data_of(spec, published), status.told(spec, published)
        if spec.withdraws and published.age_s(now) > spec.max_age_s:
            data = configmap.withdrawn(data, spec.target)
        self._observed.note_tried(owner, told)
        try:
            await self._publisher.publish(owner, spec.target, data)
        except ReconcileError:
            self._observed.note_tried(owner, owner.tried)
            raise
        return self._observed.note_published(owner, status.retold(owner.remembered, told))

    async def _fail(
        self,
        owner: ExchangeRate,
        spec: ExchangeRateSpec | None,
        error: ReconcileError,
        now: dt.datetime,
        *,
        refresh: bool,
    ) -> Outcome:
        again_s = error.retry_after_s
        if spec is not None:
            until_stale_s = self._until_stale_s(owner, spec, now)
            if not isinstance(error, Suspended):
                await self._keep(owner, spec, error, now, too_old=until_stale_s < 0)
            if until_stale_s >= 0 and again_s is not None:
                again_s = min(again_s, until_stale_s + 1)
        holds, day = held.told(self._observed, owner), self._day(owner, spec) if spec else None
        desired = status.desired_failed(owner, spec, error, now, refreshed=refresh, holds=holds, day=day)
        await self._report(owner, desired, now)
        return Outcome(error.reason, again_s)

    def _day(self, owner: ExchangeRate, spec: ExchangeRateSpec) -> dt.date | None:
        """Give the day of the rate that the object's ConfigMap holds, whatever it was quoted for."""
        return configmap.written_date(held.data(self._observed, owner, held.target(self._observed, owner, spec).name))

    def _until_stale_s(self, owner: ExchangeRate, spec: ExchangeRateSpec, now: dt.datetime) -> float:
        """Give the seconds until the object's rate is too old, whatever it was quoted for; infinity without one."""
        known = memory.published(owner.remembered, spec)
        if known is not None:
            return spec.max_age_s - known.age_s(now)
        day = self._day(owner, spec)
        return math.inf if day is None else spec.max_age_s - age_of_day_s(day, now)

    async def _keep(
        self, owner: ExchangeRate, spec: ExchangeRateSpec, error: ReconcileError, now: dt.datetime, *, too_old: bool
    ) -> None:
        """See to it that the object's ConfigMap holds what was published before, and no rate that is too old."""
        target = held.target(self._observed, owner, spec)
        data = wanted = held.data(self._observed, owner, target.name)
        known = memory.published(owner.remembered, spec)
        if known is not None and not known.is_ahead(now) and not isinstance(error, _NO_TARGET):
            wanted = configmap.data_of(spec, known)
        if too_old and spec.withdraws and configmap.written_date(wanted) is not None:
            wanted = configmap.withdrawn(wanted, target)
        if wanted == data:
            return
        try:
            await self._publisher.publish(owner, target, wanted)
        except ReconcileError as refused:
            # The error that led here stays the one that is told; the next pass tries again.
            logger.warning(
                "ExchangeRate %s: its ConfigMap could not be put right, the next pass tries again: %s",
                owner.key,
                refused,
            )

    async def _report(self, owner: ExchangeRate, desired: Mapping[str, Any], now: dt.datetime) -> Reason:
        """Write the status where it differs, and an event where Ready has turned; give Ready's reason."""
        before, after = (status.condition(state, Condition.READY) for state in (owner.remembered, desired))
        patch = status.patch_to(owner.status, desired)
        if patch is not None:
            try:
                self._observed.note_status(await self._cluster.patch_status(owner, patch))
            except ApiError as error:
                if error.status in ANOTHER_OBJECT:
                    await self._publisher.make_sure_of(owner)
                raise
            turned = (before.get("status"), before.get("reason")) != (after["status"], after["reason"])
            if turned and (before or after["status"] != "True"):
                await self._announce(owner, after, now)
        return Reason(after["reason"])

    async def _announce(self, owner: ExchangeRate, ready: Mapping[str, Any], now: dt.datetime) -> None:
        warning = ready["reason"] not in (Reason.PUBLISHED, Reason.SUSPENDED)
        try:
            await self._cluster.create_event(
                owner,
                warning=warning,
                reason=Reason(ready["reason"]),
                message=ready["message"],
                time=rfc3339(now),
            )
        except ApiError as error:
            # The status says the same; an event that cannot be had must not undo the pass.
            logger.warning(
                "no event %s for ExchangeRate %s, its status says the same: %s", ready["reason"], owner.key, error
            )
