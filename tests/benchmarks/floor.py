"""The floor: the two writes per object that the work consists of, and nothing else. No watch, no memory, no thought."""

import asyncio
import json
import sys
from collections.abc import Iterator

from tests.benchmarks.access import Access, Write, config_maps, exchange_rates, owners, write_all

from exchangerates.api import API_VERSION, FIELD_MANAGER, KIND, MANAGED_BY_LABEL

TIME = "2026-10-30T15:00:00Z"


def writes(namespace: str, name: str, uid: str, mode: str) -> Iterator[Write]:
    """Give an object's writes, of the size that the operator's have: `create` or `update`."""
    rate = "1.1172" if mode == "create" else "1.1199"
    quote = {"base": "EUR", "currency": "USD", "date": "2026-10-30", "provider": "frankfurter", "derived": "false"}
    data = {**quote, "rate": rate, "publishedAt": TIME, "quote": json.dumps({**quote, "rate": rate})}
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": name, "uid": uid, "controller": True}
    if mode == "create":
        metadata = {"name": name, "labels": {MANAGED_BY_LABEL: FIELD_MANAGER}, "ownerReferences": [owner]}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        yield Write("POST", config_maps(namespace), body)
    else:
        yield Write("PATCH", f"{config_maps(namespace)}/{name}", {"data": data})
    told = {"observedGeneration": 1, "lastTransitionTime": TIME, "message": "ConfigMap is up to date"}
    conditions = [
        {"type": "Ready", "status": "True", "reason": "Published", **told},
        {"type": "Stale", "status": "False", "reason": "RateFresh", **told},
    ]
    rates = [{"currency": "USD", "rate": rate, "date": "2026-10-30", "publishedAt": TIME}]
    status = {"base": "EUR", "provider": "frankfurter", "configMapName": name, "rates": rates, "conditions": conditions}
    yield Write("PATCH", f"{exchange_rates(namespace)}/{name}/status", {"status": status})


async def main(access: Access, namespace: str, mode: str) -> None:
    """List once, then write."""
    async with access.open() as session:
        found = [owner async for owner in owners(session, namespace)]
        await write_all(session, (writes(namespace, name, uid, mode) for name, uid in found))
    await asyncio.Event().wait()  # ended from outside, when it was read what this process has used


if __name__ == "__main__":
    asyncio.run(main(Access(*json.loads(sys.argv[1])), sys.argv[2], sys.argv[3]))
