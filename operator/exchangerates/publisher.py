"""Brings one object's ConfigMap to what is desired. It owns what it made, and only that.

A ConfigMap is an object's own while the object is its controller by uid. Every later write names the uid and the
resource version that were observed, so that the API server refuses it on a stranger.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol

from exchangerates import configmap
from exchangerates.errors import ApiError, OwnerGone, TargetConflict, TargetRefused
from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey
from exchangerates.observed import Observed
from exchangerates.target import Target

NAMESPACE_TERMINATING: Final = "NamespaceTerminating"
ANOTHER_OBJECT: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
"""What the API server answers to a write whose uid or resource version is not the object's."""
MAX_DROPPED: Final = 20
"""How many former ConfigMaps one pass removes; that they go wakes the next. Anybody may make thousands of them."""


class Cluster(Protocol):
    """The calls of `cluster.Cluster` that publishing takes."""

    async def read_exchange_rate(self, key: ObjectKey) -> ExchangeRate | None: ...  # noqa: D102
    async def read_config_map(self, key: ObjectKey) -> ConfigMap | None: ...  # noqa: D102
    async def create_config_map(self, body: Mapping[str, Any]) -> ConfigMap: ...  # noqa: D102
    async def patch_config_map(self, key: ObjectKey, patch: Mapping[str, Any]) -> ConfigMap: ...  # noqa: D102
    async def delete_config_map(self, seen: ConfigMap) -> None: ...  # noqa: D102


class Publisher:
    """Writes the ConfigMaps of one cluster, and keeps what is observed of them in step."""

    def __init__(self, cluster: Cluster, observed: Observed) -> None:
        self._cluster = cluster
        self._observed = observed

    async def publish(self, owner: ExchangeRate, target: Target, data: Mapping[str, str]) -> None:
        """Bring the target ConfigMap to the data.

        Raises:
            OwnerGone: The object or its namespace is gone or going; nothing is to be done any more.
            TargetConflict: The ConfigMap belongs to somebody else; nothing was written.
            TargetRefused: The API server refused what only a person can put right; nothing was written.
            ApiError: The API server failed, or somebody was faster; what was written is not known, and the next pass
                looks anew.
        """
        key = ObjectKey(owner.key.namespace, target.name)
        try:
            held = self._observed.config_maps.get(key) or await self._create(owner, target, data)
            if held.owner_uid == owner.uid and (held.immutable or held.too_large):
                held = await self._replace(owner, held, target, data)
            if held.owner_uid != owner.uid:
                raise _conflict(key, held)
            await self._update(held, target, data)
        except ApiError as error:
            raise _translated(error, key) from error

    async def drop_former(self, owner: ExchangeRate, target: Target) -> None:
        """Remove the ConfigMaps that the object still owns under former target names; errors as for `publish`.

        One that is refused keeps no other, and is told at the end.
        """
        refused: Exception | None = None
        for held in await self._former(owner, ObjectKey(owner.key.namespace, target.name)):
            try:
                await self._delete(held)
            except ApiError as error:
                told = _translated(error, held.key)
                if not isinstance(told, TargetRefused):
                    raise told from error
                refused = told
        if refused is not None:
            raise refused

    async def make_sure_of(self, owner: ExchangeRate) -> None:
        """Read an object anew.

        Raises:
            OwnerGone: It is gone or going, or another one has its name.
        """
        current = await self._cluster.read_exchange_rate(owner.key)
        if current is None or current.uid != owner.uid or current.deleting:
            raise OwnerGone(f"ExchangeRate {owner.key} is gone")

    async def _create(self, owner: ExchangeRate, target: Target, data: Mapping[str, str]) -> ConfigMap:
        """Make the ConfigMap, or give the one that has its name already.

        One that was there before may be missing because garbage collection follows the owner: then the owner is read
        first, or the two would make and collect it for ever.
        """
        if owner.remembered.get("configMapName") == target.name:
            await self.make_sure_of(owner)
        try:
            made = await self._cluster.create_config_map(configmap.desired_body(owner, target, data))
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            found = await self._cluster.read_config_map(ObjectKey(owner.key.namespace, target.name))
            if found is None:
                raise
            return found
        self._observed.note_written(made)
        return made

    async def _replace(
        self, owner: ExchangeRate, held: ConfigMap, target: Target, data: Mapping[str, str]
    ) -> ConfigMap:
        """Make a ConfigMap anew whose data has to change and cannot be patched: it is immutable, or too large."""
        patch = configmap.patch_to(held, target, data)
        if patch is None or not patch.keys() - {"metadata"}:
            return held
        found = held
        if not held.deleting:
            await self._delete(held)
            found = await self._create(owner, target, data)
        if found.deleting and found.uid == held.uid:
            raise TargetRefused(
                f"ConfigMap {target.name} has to be made anew, and finalizers of others keep the old one; take them "
                "out of its metadata.finalizers"
            )
        return found

    async def _update(self, held: ConfigMap, target: Target, data: Mapping[str, str]) -> None:
        patch = configmap.patch_to(held, target, data)
        if patch is None:
            return
        try:
            self._observed.note_written(await self._cluster.patch_config_map(held.key, patch))
        except ApiError as error:
            await self._look_anew(held, error)
            raise

    async def _delete(self, held: ConfigMap) -> None:
        """Delete a ConfigMap as it was seen; where others have finalizers there, its new state is news of the watch."""
        try:
            await self._cluster.delete_config_map(held)
        except ApiError as error:
            await self._look_anew(held, error)
            raise
        self._observed.drop_seen(held)

    async def _look_anew(self, held: ConfigMap, refused: ApiError) -> None:
        """Take up what became of a ConfigMap that a write was refused on: it is gone, changed, or just as it was.

        To forget it in the last case would make it news to the next list, and the watch deaf that did not bring it.
        """
        if refused.status not in ANOTHER_OBJECT:
            return
        found = await self._cluster.read_config_map(held.key)
        if found is None or (found.uid, found.owner_uid) != (held.uid, held.owner_uid):
            self._observed.drop_seen(held)  # who waits for its name is woken by the watch
        else:
            self._observed.note_config_map(found)

    async def _former(self, owner: ExchangeRate, target: ObjectKey) -> list[ConfigMap]:
        """Give the ConfigMaps under former target names that are to be deleted; no more than a pass does.

        One that is going already stays while others have finalizers there: to delete it again changes nothing.
        """
        former = {held.key: held for held in self._observed.owned_by(owner)}
        name = owner.remembered.get("configMapName")
        if isinstance(name, str) and name != target.name:
            key = ObjectKey(owner.key.namespace, name)
            found = None if key in former else await self._cluster.read_config_map(key)
            if found is not None and found.owner_uid == owner.uid:
                former[key] = found
        return [held for key, held in former.items() if key != target and not held.deleting][:MAX_DROPPED]


def _conflict(target: ObjectKey, held: ConfigMap) -> TargetConflict:
    if held.owner_name:
        return TargetConflict(
            f"ConfigMap {target.name} exists and belongs to ExchangeRate {held.owner_name}; it is left as it is. "
            "Write another spec.target.name, here or there"
        )
    return TargetConflict(
        f"ConfigMap {target.name} exists and belongs to somebody else; it is left as it is. Delete or rename it, or "
        "write another spec.target.name"
    )


def _translated(error: ApiError, target: ObjectKey) -> Exception:
    """Tell a refusal that a person has to look at from one that time heals."""
    if error.status == HTTPStatus.FORBIDDEN and NAMESPACE_TERMINATING in error.causes:
        return OwnerGone(f"namespace {target.namespace} is going")
    if "metadata.uid" in error.fields:
        return error  # another one under the same name by now: no refusal
    if error.status in (HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY):
        return TargetRefused(f"the API server refused ConfigMap {target.name}; correct what it names: {error}")
    return error
