"""One pass for one object: from what was observed to what is desired. No kopf, no clock, no environment.

A pass that finds everything as it should be writes nothing. One that fails keeps the last good ConfigMap and says why.
"""

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol

from exchangerates import configmap, status
from exchangerates.api import Condition, Reason
from exchangerates.errors import ApiError, ReconcileError, TargetConflict, TargetRefused
from exchangerates.observed import ConfigMap, ExchangeRate, ObjectKey, Observed
from exchangerates.rate_tables import Fetched
from exchangerates.rates import Quote
from exchangerates.spec import Defaults, ExchangeRateSpec, parse_spec

NAMESPACE_TERMINATING: Final = "NamespaceTerminating"

logger = logging.getLogger(__name__)


class Cluster(Protocol):
    """The calls of `cluster.Cluster` that a pass makes."""

    async def read_exchange_rate(self, key: ObjectKey) -> ExchangeRate | None: ...  # noqa: D102
    async def read_config_map(self, key: ObjectKey) -> ConfigMap | None: ...  # noqa: D102
    async def create_config_map(self, body: Mapping[str, Any]) -> ConfigMap: ...  # noqa: D102
    async def patch_config_map(self, key: ObjectKey, patch: Mapping[str, Any]) -> ConfigMap: ...  # noqa: D102
    async def delete_config_map(self, seen: ConfigMap) -> None: ...  # noqa: D102
    async def patch_status(self, owner: ExchangeRate, patch: Mapping[str, Any]) -> ExchangeRate: ...  # noqa: D102
    async def create_event(  # noqa: D102
        self, owner: ExchangeRate, *, warning: bool, reason: Reason, message: str, time: str
    ) -> None: ...


class Rates(Protocol):
    """The call of `rate_tables.RateTables` that a pass makes."""

    async def quote(self, spec: ExchangeRateSpec) -> Fetched: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass ended.

    Attributes:
        reason: The reason of the object's Ready condition; None where the object is gone and to be forgotten.
        again_s: Seconds until the next pass, or None for the object's own backoff.
    """

    reason: Reason | None
    again_s: float | None


GONE: Final = Outcome(None, None)


class OwnerGone(Exception):
    """The object, or its namespace, is gone or going."""


class Reconciler:
    """Makes passes over objects of one cluster."""

    def __init__(self, cluster: Cluster, rates: Rates, observed: Observed, defaults: Defaults) -> None:
        self._cluster = cluster
        self._rates = rates
        self._observed = observed
        self._defaults = defaults

    async def reconcile(self, owner: ExchangeRate, now: dt.datetime, *, refresh: bool) -> Outcome:
        """Bring one object's ConfigMap and status to what its spec asks for.

        Args:
            owner: The object as it was last seen; not a terminating one.
            now: The time, UTC.
            refresh: Whether a newer quote is wanted. Otherwise the published one serves where it answers the spec: a
                repair waits for no rate provider.

        Raises:
            ApiError: The API server failed or refused in a way that only time or a newer observation heals.
        """
        spec: ExchangeRateSpec | None = None
        try:
            try:
                spec = parse_spec(owner.key.name, owner.spec, self._defaults)
                fetched = await self._quote(owner, spec, refresh=refresh)
                await self._publish(owner, spec, fetched.quote)
            except ReconcileError as error:
                return await self._fail(owner, spec, error, now)
            except (ApiError, OwnerGone):
                raise
            except Exception as error:  # what nobody foresaw costs one object its turn, and says so
                logger.exception("ExchangeRate %s: the pass failed", owner.key)
                unforeseen = ReconcileError(f"{type(error).__name__} in the operator; its log has the traceback")
                return await self._fail(owner, spec, unforeseen, now)
            reason = await self._report(owner, status.desired_published(owner, spec, fetched.quote, now), now)
        except OwnerGone:
            return GONE
        until_stale_s = spec.max_age_s - status.age_s(fetched.quote, now)
        return Outcome(reason, min(fetched.usable_s, until_stale_s + 1) if until_stale_s > 0 else fetched.usable_s)

    async def _fail(
        self, owner: ExchangeRate, spec: ExchangeRateSpec | None, error: ReconcileError, now: dt.datetime
    ) -> Outcome:
        await self._report(owner, status.desired_failed(owner, spec, error, now), now)
        return Outcome(error.reason, error.retry_after_s)

    async def _quote(self, owner: ExchangeRate, spec: ExchangeRateSpec, *, refresh: bool) -> Fetched:
        """Give the quote to publish: never an older one than the published, nor the same under another name."""
        published = status.published_quote(owner.status, spec)
        if published is not None and not refresh:
            return Fetched(published, 0.0)
        try:
            fetched = await self._rates.quote(spec)
        except ReconcileError as error:
            if published is None or error.reason not in (Reason.PROVIDER_UNAVAILABLE, Reason.PROVIDER_REFUSED):
                raise
            return Fetched(published, error.retry_after_s or 0.0, error)
        if published is not None and (fetched.quote.date < published.date or _same_rate(fetched.quote, published)):
            return Fetched(published, fetched.usable_s, fetched.problem)
        return fetched

    async def _publish(self, owner: ExchangeRate, spec: ExchangeRateSpec, quote: Quote) -> None:
        target = ObjectKey(owner.key.namespace, spec.target_name)
        data = configmap.data_of(quote)
        try:
            held = self._observed.config_maps.get(target) or await self._create(owner, target, data)
            if held.owner_uid != owner.uid:
                raise _conflict(target, held)
            await self._update(owner, held, data)
            await self._drop_former(owner, target)
        except ApiError as error:
            raise _translated(error, target) from error

    async def _create(self, owner: ExchangeRate, target: ObjectKey, data: dict[str, str]) -> ConfigMap:
        """Make the ConfigMap, or give the one that has its name already.

        One that was there before may be missing because garbage collection follows the owner: then the owner is read
        first, or the two would make and collect it for ever.
        """
        if owner.status.get("configMapName") == target.name:
            current = await self._cluster.read_exchange_rate(owner.key)
            if current is None or current.uid != owner.uid or current.deleting:
                raise OwnerGone
        try:
            made = await self._cluster.create_config_map(configmap.desired_body(owner, target.name, data))
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            found = await self._cluster.read_config_map(target)
            if found is None:
                raise
            return found
        self._observed.note_config_map(made)
        return made

    async def _update(self, owner: ExchangeRate, held: ConfigMap, data: dict[str, str]) -> None:
        patch = configmap.patch_to(held, data)
        if patch is None:
            return
        try:
            if held.immutable and patch["data"]:
                # Nothing but a new ConfigMap can carry a new rate, and this one is ours.
                await self._cluster.delete_config_map(held)
                self._observed.drop_config_map(held.key, uid=held.uid)
                await self._create(owner, held.key, data)
            else:
                self._observed.note_config_map(await self._cluster.patch_config_map(held.key, patch))
        except ApiError as error:
            if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY):
                # Deleted, or another one under the same name: what was observed is void, the next pass looks anew.
                self._observed.drop_config_map(held.key, uid=held.uid)
            raise

    async def _drop_former(self, owner: ExchangeRate, target: ObjectKey) -> None:
        """Remove the ConfigMaps that the object still owns under former target names."""
        former = {held.key: held for held in self._observed.owned_by(owner.uid)}
        name = owner.status.get("configMapName")
        if isinstance(name, str) and name != target.name:
            key = ObjectKey(owner.key.namespace, name)
            if (
                key not in former
                and (found := await self._cluster.read_config_map(key))
                and found.owner_uid == owner.uid
            ):
                former[key] = found
        for key, held in former.items():
            if key != target:
                await self._cluster.delete_config_map(held)
                self._observed.drop_config_map(key, uid=held.uid)

    async def _report(self, owner: ExchangeRate, desired: Mapping[str, Any], now: dt.datetime) -> Reason:
        """Write the status where it differs, and an event where Ready has turned; give Ready's reason."""
        before, after = (status.condition(state, Condition.READY) for state in (owner.status, desired))
        patch = status.patch_to(owner.status, desired)
        if patch is not None:
            try:
                self._observed.note_exchange_rate(await self._cluster.patch_status(owner, patch))
            except ApiError as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    raise OwnerGone from error
                raise
            turned = (before.get("status"), before.get("reason")) != (after["status"], after["reason"])
            if turned and (before or after["status"] != "True"):
                await self._announce(owner, after, now)
        return Reason(after["reason"])

    async def _announce(self, owner: ExchangeRate, ready: Mapping[str, Any], now: dt.datetime) -> None:
        warning = ready["status"] != "True"
        try:
            await self._cluster.create_event(
                owner,
                warning=warning,
                reason=Reason(ready["reason"]),
                message=ready["message"],
                time=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
        except ApiError as error:
            # The status says the same; an event that cannot be had must not undo the pass.
            logger.warning("no event %s for ExchangeRate %s: %s", ready["reason"], owner.key, error)


def _same_rate(one: Quote, other: Quote) -> bool:
    return (one.rate, one.date, one.derived) == (other.rate, other.date, other.derived)


def _conflict(target: ObjectKey, held: ConfigMap) -> TargetConflict:
    whose = f"ExchangeRate {held.owner_name}" if held.owner_name else "somebody else"
    return TargetConflict(
        f"ConfigMap {target.name} exists and belongs to {whose}; it is left as it is. Delete or rename it, or give "
        "spec.target.name another name"
    )


def _translated(error: ApiError, target: ObjectKey) -> Exception:
    """Tell a refusal that a person has to look at from one that time heals."""
    if error.status == HTTPStatus.FORBIDDEN and NAMESPACE_TERMINATING in error.causes:
        return OwnerGone()
    if error.status in (HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY):
        return TargetRefused(f"the API server refused ConfigMap {target.name}: {error}")
    return error
