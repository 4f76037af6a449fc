"""The floor: the two writes per object that the work consists of, and nothing else. No watch, no memory, no thought."""

import asyncio
import json
import sys
from collections.abc import Iterator

from tests.benchmarks.access import Access, Owner, Write, config_maps, exchange_rates, owners, write_all

from exchangerates.api import API_VERSION, FIELD_MANAGER, KIND, MANAGED_BY_LABEL
from exchangerates.controller import WORKERS
from exchangerates.schedule import DUE_AT_ONCE

TIME = "2026-10-30T15:00:00Z"
_WRITTEN_BY = f"fieldManager={FIELD_MANAGER}"


def writes(namespace: str, owner: Owner, mode: str) -> Iterator[Write]:
    """Give an object's writes, as the operator makes them when it is new (`create`) or its rate has changed."""
    rate = "1.1172" if mode == "create" else "1.1199"
    quote = {"base": "EUR", "provider": "frankfurter", "currency": "USD", "rate": rate, "date": "2026-10-30"}
    document = json.dumps({**quote, "derived": False, "publishedAt": TIME}, separators=(",", ":"))
    changed = {"publishedAt": TIME, "quote": document, "rate": rate}
    if mode == "create":
        reference = {"apiVersion": API_VERSION, "kind": KIND, "name": owner.name, "uid": owner.uid, "controller": True}
        labels = {MANAGED_BY_LABEL: FIELD_MANAGER}
        metadata = {"name": owner.name, "namespace": namespace, "labels": labels, "ownerReferences": [reference]}
        data = {**quote, "derived": "false", **changed}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        yield Write("POST", f"{config_maps(namespace)}?{_WRITTEN_BY}", body)
    else:
        yield Write("PATCH", f"{config_maps(namespace)}/{owner.name}?{_WRITTEN_BY}", {"data": changed})
    told = {"observedGeneration": 1, "lastTransitionTime": TIME}
    holds = f"ConfigMap {owner.name} holds 1 EUR = {rate} USD, quoted by frankfurter for 2026-10-30"
    fresh = "the rate is not older than maxAge"
    conditions = [
        {"type": "Ready", "status": "True", **told, "reason": "Published", "message": holds},
        {"type": "Stale", "status": "False", **told, "reason": "RateFresh", "message": fresh},
    ]
    rates = [{"currency": "USD", "rate": rate, "date": "2026-10-30", "derived": False, "publishedAt": TIME}]
    status: dict[str, object] = {"rates": rates, "conditions": conditions}
    if mode == "create":
        named = {"observedGeneration": 1, "configMapName": owner.name, "base": "EUR", "provider": "frankfurter"}
        status = {**named, **status}
    guard = {"uid": owner.uid, "resourceVersion": owner.version}
    path = f"{exchange_rates(namespace)}/{owner.name}/status?{_WRITTEN_BY}"
    yield Write("PATCH", path, {"metadata": guard, "status": status})


async def main(access: Access, namespace: str, mode: str) -> None:
    """List once, then write, as many at once as the operator has passes over new objects, or refreshes."""
    at_once = WORKERS if mode == "create" else DUE_AT_ONCE
    async with access.open() as session:
        found = [owner async for owner in owners(session, namespace)]
        await write_all(session, (writes(namespace, owner, mode) for owner in found), at_once)
    await asyncio.Event().wait()  # ended from outside, when it was read what this process has used


if __name__ == "__main__":
    asyncio.run(main(Access(*json.loads(sys.argv[1])), sys.argv[2], sys.argv[3]))
