"""A bare asynchronous client of the API server: what the floor is made of, and how objects come and go in numbers."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from exchangerates.api import API_VERSION, PLURAL

PAGE_SIZE: Final = 500
_MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}
_JSON: Final = {"Content-Type": "application/json"}


class Write(NamedTuple):
    """One write: a method, a path, and a body."""

    method: str
    path: str
    body: Mapping[str, Any]


class Access(NamedTuple):
    """How an account reaches the API server, with a token's file or with a certificate and its key."""

    server: str
    authority: str
    token_file: str = ""
    certificate: str = ""
    key: str = ""

    def open(self) -> aiohttp.ClientSession:
        """Open a session."""
        context = ssl.create_default_context(cafile=self.authority)
        headers = {}
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        if self.token_file:
            token = Path(self.token_file).read_text(encoding="utf-8").strip()
            headers["Authorization"] = f"Bearer {token}"
        return aiohttp.ClientSession(self.server, connector=aiohttp.TCPConnector(ssl=context), headers=headers)


class Owner(NamedTuple):
    """What a write has to name of an ExchangeRate."""

    name: str
    uid: str
    version: str


async def owners(session: aiohttp.ClientSession, namespace: str) -> AsyncIterator[Owner]:
    """List a namespace's ExchangeRates, page by page."""
    token = ""
    while True:
        page = {"limit": str(PAGE_SIZE), **({"continue": token} if token else {})}
        async with session.get(exchange_rates(namespace), params=page) as response:
            response.raise_for_status()
            answer = json.loads(await response.read())
        for item in answer["items"]:
            meta = item["metadata"]
            yield Owner(meta["name"], meta["uid"], meta["resourceVersion"])
        token = answer["metadata"].get("continue", "")
        if not token:
            return


async def write_all(session: aiohttp.ClientSession, batches: Iterable[Iterable[Write]], at_once: int) -> None:
    """Make the writes of each batch one after the other, so many batches at once."""
    waiting = iter(batches)

    async def work() -> None:
        for batch in waiting:
            for method, path, body in batch:
                headers = _MERGE_PATCH if method == "PATCH" else _JSON
                data = json.dumps(body, separators=(",", ":")).encode()
                async with session.request(method, path, data=data, headers=headers) as response:
                    await response.read()
                    response.raise_for_status()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())


def exchange_rates(namespace: str) -> str:
    """Give the path of a namespace's ExchangeRates."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}"


def config_maps(namespace: str) -> str:
    """Give the path of a namespace's ConfigMaps."""
    return f"/api/v1/namespaces/{namespace}/configmaps"
