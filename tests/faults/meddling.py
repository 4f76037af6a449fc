"""What a gate may do to the operator's requests."""

import asyncio
import random
from collections import Counter
from http import HTTPStatus

from aiohttp import web
from tests.faults.gate import Forward, Gate, Meddling, abort


def answering(status: HTTPStatus, generator: random.Random, *, share: float = 1.0, **headers: str) -> Meddling:
    """Answer a share of the requests with an error, as the API server words it."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": status.phrase}

    async def meddle(request: web.Request, forward: Forward) -> web.StreamResponse:
        if generator.random() >= share:
            return await forward(request)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body, status=status, headers=told)

    return meddle


def slowly(seconds: float) -> Meddling:
    """Make each answer late by so many seconds."""

    async def meddle(request: web.Request, forward: Forward) -> web.StreamResponse:
        if request.query.get("watch") == "true":
            await asyncio.sleep(seconds)
            return await forward(request)
        answer = await forward(request)
        await asyncio.sleep(seconds)
        return answer

    return meddle


def dropping(generator: random.Random, *, share: float = 1.0) -> Meddling:
    """Lose a share of the requests: one half before they are made, of the others the answer."""

    async def meddle(request: web.Request, forward: Forward) -> web.StreamResponse:
        if generator.random() >= share:
            return await forward(request)
        if request.query.get("watch") != "true" and generator.random() < 1 / 2:
            await forward(request)
        abort(request)
        return web.Response()

    return meddle


class Holding:
    """Holds the n-th request about each of some namespaces, before or after it is made, until `release`.

    Args:
        gate: The gate.
        namespaces: Which.
        number: Which of their requests, counted from 1.
        made: Whether it is made first, and only its answer is held.

    Attributes:
        held: What is held, by namespace.
    """

    def __init__(self, gate: Gate, namespaces: frozenset[str], number: int, *, made: bool) -> None:
        self._gate, self._namespaces, self._number, self._made = gate, namespaces, number, made
        self._counts = Counter[str]()
        self._released = asyncio.Event()
        self.held: dict[str, str] = {}

    def release(self) -> None:
        """Lose what is held: who asked is no more."""
        self._gate.call(self._released.set)

    async def __call__(self, request: web.Request, forward: Forward) -> web.StreamResponse:
        """Hold a request, or let it through."""
        parts = request.path.split("/")
        namespace = parts[parts.index("namespaces") + 1] if "namespaces" in parts else ""
        if namespace in self._namespaces:
            self._counts[namespace] += 1
        if namespace not in self._namespaces or self._counts[namespace] != self._number:
            return await forward(request)
        if self._made:
            await forward(request)
        self.held[namespace] = f"{request.method} {'/'.join(parts[-2:])}"
        await self._released.wait()
        abort(request)
        return web.Response()
