"""The CRD at start: wait for it, or, where the operator was asked to, create it.

Off where Pulumi owns the CRD. A CRD that somebody else manages is never overwritten.
"""

import asyncio
import logging
from collections.abc import Sequence
from http import HTTPStatus
from importlib import resources
from typing import Any, Final

import yaml

from exchangerates.api import CRD_NAME, FIELD_MANAGER, MANAGED_BY_LABEL
from exchangerates.cluster import Cluster
from exchangerates.errors import ApiError, CrdMissing

WAIT_S: Final = 60.0
"""How long the kind may be unknown to an API server that answers."""
POLL_S: Final = 1.0

logger = logging.getLogger(__name__)


def definition() -> dict[str, Any]:
    """Give the CustomResourceDefinition."""
    body: dict[str, Any] = yaml.safe_load(resources.files("exchangerates").joinpath("crd.yaml").read_text("utf-8"))
    return body


async def wait_for(cluster: Cluster, namespaces: Sequence[str | None], *, wait_s: float = WAIT_S) -> None:
    """Wait until the API server serves ExchangeRates. As long as it does not answer, or refuses, no time counts.

    Args:
        cluster: The API server.
        namespaces: Where it may be asked; one that may be read is enough. None is all of them.
        wait_s: How many seconds the kind may be unknown.

    Raises:
        CrdMissing: It answered for this long that it does not know the kind.
    """
    waited_s = 0.0
    while waited_s <= wait_s:
        try:
            if await _is_served(cluster, namespaces):
                return
            if waited_s == 0.0:
                logger.warning("CRD %s is not there; waiting %.0f s for it", CRD_NAME, wait_s)
            waited_s += POLL_S
        except ApiError as error:
            logger.warning("waiting for the API server: %s", error)
        await asyncio.sleep(POLL_S)
    raise CrdMissing(
        f"CRD {CRD_NAME} did not appear within {wait_s:.0f} s; run `pulumi up`, or apply "
        "operator/exchangerates/crd.yaml, or start the operator with --install-crd"
    )


async def _is_served(cluster: Cluster, namespaces: Sequence[str | None]) -> bool:
    """Ask in one namespace after the other, until one of them may be read or none is left."""
    *others, last = namespaces
    for namespace in others:
        try:
            return await cluster.serves_exchange_rates(namespace)
        except ApiError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
    return await cluster.serves_exchange_rates(last)


async def install(cluster: Cluster) -> None:
    """Create the CRD, or bring one that an operator installed before to this version; leave anybody else's alone.

    Raises:
        ApiError: The API server refused, for example because the operator has no rights on CRDs.
    """
    desired = definition()
    desired["metadata"]["labels"] = {MANAGED_BY_LABEL: FIELD_MANAGER}
    found = await cluster.read_crd(CRD_NAME)
    if found is None:
        try:
            await cluster.create_crd(desired)
            logger.info("CRD %s created", CRD_NAME)
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
        return
    if (found["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL) != FIELD_MANAGER:
        logger.info("CRD %s is managed by somebody else and left as it is", CRD_NAME)
        return
    await cluster.patch_crd(CRD_NAME, {"spec": desired["spec"]})
