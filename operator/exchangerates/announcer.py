"""Tells what concerns the operator as a whole by events on its own Deployment, where a platform team looks.

Nobody waits for them, and what cannot be recorded is only logged: the log and the metrics say the same.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from exchangerates.api import Reason
from exchangerates.errors import ApiError
from exchangerates.objects import ObjectKey
from exchangerates.rates import rfc3339

logger = logging.getLogger(__name__)


class Cluster(Protocol):
    """The call of `cluster.Cluster` that announcing takes."""

    async def create_deployment_event(  # noqa: D102
        self, deployment: ObjectKey, name: str, *, reason: Reason, message: str, time: str
    ) -> None: ...


class Announcer:
    """Records events on one Deployment, or nowhere where the operator runs without one."""

    def __init__(self, cluster: Cluster, deployment: ObjectKey | None, clock: Callable[[], dt.datetime]) -> None:
        self._cluster = cluster
        self._deployment = deployment
        self._clock = clock
        self._under_way: set[asyncio.Task[None]] = set()

    def interval_lengthened(self, provider: str, message: str) -> None:
        """Tell that a rate provider's budget keeps objects waiting; once a day, also over restarts."""
        if self._deployment is None:
            return
        now = self._clock()
        # The name is the day's: the API server refuses it a second time.
        name = f"{self._deployment.name}.{provider}.{now:%Y-%m-%d}"
        recording = self._record(self._deployment, name, Reason.INTERVAL_LENGTHENED, message, rfc3339(now))
        task = asyncio.create_task(recording, name=f"event {name}")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _record(self, deployment: ObjectKey, name: str, reason: Reason, message: str, time: str) -> None:
        try:
            await self._cluster.create_deployment_event(deployment, name, reason=reason, message=message, time=time)
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                logger.warning("no event %s for Deployment %s: %s", reason, deployment, error)
