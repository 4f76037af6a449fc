# ruff: noqa: D102 - the cluster's calls are those of `exchangerates.cluster.Cluster`
"""A small cluster in memory."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from http import HTTPStatus
from itertools import count
from typing import Any

from exchangerates import status as statuses
from exchangerates.api import FIELD_MANAGER, Condition, Reason
from exchangerates.errors import ApiError
from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey


class MemoryCluster:
    """Both kinds, with uids, resource versions and preconditions; what is written is shown to the watches at once."""

    def __init__(self) -> None:
        self.rates: dict[ObjectKey, dict[str, Any]] = {}
        self.maps: dict[ObjectKey, dict[str, Any]] = {}
        self.writes: Counter[str] = Counter()
        self.watches: Callable[[str, str, dict[str, Any]], None] = lambda *_: None
        self._versions = count(1)

    def add(self, name: str, /, uid: object = None, **spec: object) -> None:
        """Create an ExchangeRate in the namespace `default`."""
        metadata = {"namespace": "default", "name": name, "uid": uid or f"uid-{name}", "generation": 1}
        self._store("rate", self.rates, {"metadata": metadata, "spec": _spec({"currency": "USD", **spec})})

    def edit(self, name: str, **spec: object) -> None:
        """Change fields of an object's spec as its user."""
        held = self.rates[ObjectKey("default", name)]
        metadata = {**held["metadata"], "generation": held["metadata"]["generation"] + 1}
        self._store("rate", self.rates, {**held, "metadata": metadata, "spec": {**held["spec"], **spec}})

    def replace_status(self, name: str, status: dict[str, Any]) -> None:
        """Write an object's status as somebody else."""
        self._store("rate", self.rates, {**self.rates[ObjectKey("default", name)], "status": status})

    def forge_status(self, name: str, **entry: object) -> None:
        """Write fields of the first rate in an object's status as somebody else."""
        status = self.status(name)
        self.replace_status(name, {**status, "rates": [{**status["rates"][0], **entry}]})

    def annotate(self, name: str, key: str, value: str) -> None:
        """Set an annotation of an ExchangeRate."""
        held = self.rates[ObjectKey("default", name)]
        annotations = {**held["metadata"].get("annotations", {}), key: value}
        self._store("rate", self.rates, {**held, "metadata": {**held["metadata"], "annotations": annotations}})

    def tamper(self, name: str, **data: str) -> None:
        """Change a ConfigMap's data as somebody else; nothing where there is none."""
        if held := self.maps.get(ObjectKey("default", name)):
            self._store("map", self.maps, _managed({**held, "data": {**held["data"], **data}}, data, "kubectl-edit"))

    def bind(self, name: str) -> None:
        """Set a finalizer on a ConfigMap as somebody else."""
        held = self.maps[ObjectKey("default", name)]
        metadata = {**held["metadata"], "finalizers": ["example.com/keep"]}
        self._store("map", self.maps, {**held, "metadata": metadata})

    def hand_over(self, name: str, owner: str) -> None:
        """Make another object a ConfigMap's owner as somebody else."""
        held = self.maps[ObjectKey("default", name)]
        reference = {**held["metadata"]["ownerReferences"][0], "name": owner, "uid": f"uid-{owner}"}
        self._store("map", self.maps, {**held, "metadata": {**held["metadata"], "ownerReferences": [reference]}})

    def lose(self, name: str) -> None:
        """Delete a ConfigMap as somebody else; nothing where there is none."""
        if held := self.maps.pop(ObjectKey("default", name), None):
            gone = {**held, "metadata": {**held["metadata"], "resourceVersion": str(next(self._versions))}}
            asyncio.get_running_loop().call_soon(self.watches, "map", "DELETED", gone)

    def data(self, name: str) -> dict[str, str]:
        """Give a ConfigMap's data; empty where there is none."""
        held: dict[str, str] = self.maps.get(ObjectKey("default", name), {}).get("data", {})
        return held

    def status(self, name: str) -> dict[str, Any]:
        """Give an ExchangeRate's status; empty where there is none."""
        held: dict[str, Any] = self.rates[ObjectKey("default", name)].get("status", {})
        return held

    def ready(self, name: str) -> str:
        """Give the reason of an object's Ready condition, empty where there is none."""
        return str(self._condition(name, Condition.READY).get("reason", ""))

    def message(self, name: str) -> str:
        """Give the message of an object's Ready condition, empty where there is none."""
        return str(self._condition(name, Condition.READY).get("message", ""))

    def stale(self, name: str) -> str:
        """Give the status of an object's Stale condition, empty where there is none."""
        return str(self._condition(name, Condition.STALE).get("status", ""))

    def _condition(self, name: str, kind: Condition) -> Mapping[str, Any]:
        return statuses.condition(self.status(name), kind)

    def _store(self, kind: str, kept: dict[ObjectKey, dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
        body = {**body, "metadata": {**body["metadata"], "resourceVersion": str(next(self._versions))}}
        body = json.loads(json.dumps(body))  # as it comes over the wire
        kept[ObjectKey(body["metadata"]["namespace"], body["metadata"]["name"])] = body
        asyncio.get_running_loop().call_soon(self.watches, kind, "MODIFIED", body)
        return body

    async def list_exchange_rates(self, *_: object) -> AsyncIterator[ExchangeRate]:
        for body in tuple(self.rates.values()):
            yield ExchangeRate.from_body(body)

    async def list_config_maps(self, *_: object) -> AsyncIterator[ConfigMap]:
        for body in tuple(self.maps.values()):
            yield ConfigMap.from_body(body)

    async def read_exchange_rate(self, key: ObjectKey) -> ExchangeRate | None:
        return ExchangeRate.from_body(self.rates[key]) if key in self.rates else None

    async def read_config_map(self, key: ObjectKey) -> ConfigMap | None:
        return ConfigMap.from_body(self.maps[key]) if key in self.maps else None

    async def create_config_map(self, body: Mapping[str, Any]) -> ConfigMap:
        key = ObjectKey(body["metadata"]["namespace"], body["metadata"]["name"])
        self.writes["create"] += 1
        if key in self.maps:
            raise ApiError(HTTPStatus.CONFLICT, {})
        made = _managed({**body, "metadata": {**body["metadata"], "uid": f"uid-{key}"}}, body["data"], FIELD_MANAGER)
        return ConfigMap.from_body(self._store("map", self.maps, made))

    async def patch_config_map(self, key: ObjectKey, patch: Mapping[str, Any]) -> ConfigMap:
        self.writes["patch"] += 1
        held = self.maps.get(key)
        if held is None:
            raise ApiError(HTTPStatus.NOT_FOUND, {})
        if any(patch["metadata"].get(name) != held["metadata"][name] for name in ("uid", "resourceVersion")):
            raise ApiError(HTTPStatus.CONFLICT, {})
        data = {**held["data"], **patch.get("data", {})}
        kept = {name: value for name, value in data.items() if value is not None}
        changed = _managed({**held, "data": kept}, patch.get("data", {}), FIELD_MANAGER)
        return ConfigMap.from_body(self._store("map", self.maps, changed))

    async def delete_config_map(self, seen: ConfigMap) -> None:
        self.writes["delete"] += 1
        held = self.maps.get(seen.key)
        if held is None or not held["metadata"].get("finalizers"):
            self.maps.pop(seen.key, None)
        elif "deletionTimestamp" not in held["metadata"]:
            going = {**held["metadata"], "deletionTimestamp": "2026-10-30T16:00:00Z"}
            self._store("map", self.maps, {**held, "metadata": going})

    async def patch_status(self, owner: ExchangeRate, patch: Mapping[str, Any]) -> ExchangeRate:
        held = self.rates[owner.key]
        if str(owner.resource_version) != held["metadata"]["resourceVersion"]:
            raise ApiError(HTTPStatus.CONFLICT, {})
        self.writes["status"] += 1
        status = {**held.get("status", {}), **patch}
        kept = {name: value for name, value in status.items() if value is not None}
        return ExchangeRate.from_body(self._store("rate", self.rates, {**held, "status": kept}))

    async def create_event(
        self, owner: ExchangeRate, *, warning: bool, reason: Reason, message: str, time: str
    ) -> None:
        assert message
        assert time
        self.writes[f"event {'Warning' if warning else 'Normal'} {reason} {owner.key.name}"] += 1


def _managed(body: dict[str, Any], keys: Iterable[str], manager: str) -> dict[str, Any]:
    """Keep the API server's books of who has set which key of the data."""
    written, managers = set(keys), dict[str, set[str]]()
    for entry in body["metadata"].get("managedFields", ()):
        managers[entry["manager"]] = {name.removeprefix("f:") for name in entry["fieldsV1"]["f:data"]} - written
    managers[manager] = managers.get(manager, set()) | (written & body["data"].keys())
    books = [
        {"manager": name, "fieldsV1": {"f:data": {f"f:{key}": {} for key in sorted(owned)}}}
        for name, owned in managers.items()
    ]
    return {**body, "metadata": {**body["metadata"], "managedFields": books}}


def _spec(fields: dict[str, object]) -> dict[str, object]:
    """Leave out the fields that are None."""
    return {name: value for name, value in fields.items() if value is not None}
