"""Kopf's handlers and nothing else: what the watches show goes to the informer, credentials come from Kopf.

Only `on.event` is used: timers, daemons and `on.delete` would add a finalizer, and then objects, namespaces and
`pulumi destroy` hang whenever the operator is gone.
"""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import kopf
from yarl import URL

from exchangerates import credentials
from exchangerates.api import FIELD_MANAGER, GROUP, MANAGED_BY_LABEL, PLURAL, VERSION
from exchangerates.cluster import Cluster
from exchangerates.diffbase import NoDiffBase
from exchangerates.errors import CredentialsError
from exchangerates.informer import Informer
from exchangerates.news import NOTHING, Known
from exchangerates.session import open_session

OWN_LIST_S = 10.0
"""How long Kopf's first list waits for the operator's own: far shorter than Kopf's patience."""
LOGIN_AGAIN_S = 10.0
"""The pause after a log-in that failed while the operator was running."""


def register_watches(registry: kopf.OperatorRegistry, informer: Informer) -> None:
    """Have the informer hear what the watches show.

    Args:
        registry: Kopf's.
        informer: The informer.
    """

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def exchange_rate(event: kopf.RawEvent, **_: object) -> None:
        informer.watch_exchange_rate(event["type"], event["object"])

    @kopf.on.event("configmaps", registry=registry)
    async def config_map(event: kopf.RawEvent, **_: object) -> None:
        informer.watch_config_map(event["type"], event["object"])


def register_session(
    registry: kopf.OperatorRegistry,
    informer: Informer,
    cluster: Cluster,
    work: asyncio.Task[None],
    watching: Callable[[str], None],
) -> None:
    """Log in to the API server, and end with Kopf.

    Args:
        registry: Kopf's.
        informer: Tells what is news.
        cluster: Gets the session that Kopf logs in with.
        work: The controller's work, which ends with Kopf.
        watching: Told the path of every watch that is opened.
    """
    finalizer = kopf_settings().persistence.finalizer

    def shown(kind: str, event_type: str | None, body: Mapping[str, Any]) -> bool:
        # Where another operator on Kopf was here before, its finalizer is Kopf's to take off.
        return finalizer in body["metadata"].get("finalizers", ()) or informer.is_news(kind, event_type, body)

    async def listed_at(path: str) -> str | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OWN_LIST_S):
                await informer.listed.wait()
        version = cluster.listed_at(path) if informer.in_step else None
        if version is not None:
            informer.watch_joined(path)
        return version

    known = Known(shown, informer.is_echo, listed_at)

    @kopf.on.cleanup(registry=registry)
    async def cleanup(**_: object) -> None:
        # Kopf gives tasks that it did not start five seconds to end by themselves. Where one watch has failed it leaves
        # the others running, which would then wait for ever for the credentials of an operator that is no more.
        watchers = {task for task in asyncio.all_tasks() if task.get_name().startswith("watcher for ")}
        for task in {work, *watchers}:
            task.cancel()
        await asyncio.wait({work, *watchers})

    @kopf.on.login(registry=registry)
    async def login(**_: object) -> kopf.AiohttpSession:
        try:
            return await log_in(cluster, watching, known, namespaces=len(informer.namespaces))
        except CredentialsError as error:
            raise kopf.TemporaryError(str(error), delay=LOGIN_AGAIN_S) from error


async def log_in(
    cluster: Cluster, watching: Callable[[str], None], known: Known = NOTHING, *, namespaces: int = 1
) -> kopf.AiohttpSession:
    """Open a session with the kubeconfig's credentials, or with the Pod's own.

    Args:
        cluster: Is given the session.
        watching: Told the path of every watch that is opened.
        known: Tells what of the lists and the watches Kopf is not to see.
        namespaces: How many are watched each by itself; 1 for all at once, or for none.

    Raises:
        CredentialsError: There are neither, or they cannot be used.
    """
    found = credentials.find()
    connection = dict(found.connection)
    if found.plugin is not None:
        given = await found.plugin.credential()
        if given.certificate and given.key:
            connection |= {"certificate_data": given.certificate, "private_key_data": given.key}
    info = kopf.ConnectionInfo(server=found.server, **connection)
    try:
        trust = info.as_ssl_context()
    except (OSError, ssl.SSLError, ValueError) as error:
        raise CredentialsError(
            f"the certificates for {URL(found.server).origin()} cannot be used: {error}; correct the kubeconfig"
        ) from error
    try:
        session = open_session(
            info.server,
            trust,
            info.as_http_headers(),
            found.tokens,
            watching=watching,
            known=known,
            namespaces=namespaces,
            proxy=info.proxy_url,
        )
    except ValueError as error:
        raise CredentialsError(
            "user or password in the address of the API server or of its proxy cannot be sent; correct the kubeconfig"
        ) from error
    cluster.connect(session)
    return kopf.AiohttpSession(
        server=info.server, aiohttp_session=session.client, default_namespace=info.default_namespace
    )


class Backoffs:
    """Kopf's pauses between attempts of one request, in seconds, without an end.

    Kopf's own list ends, and with it the operator, after a minute of HTTP 500s; and a pause as long as its last one
    would keep a watch deaf after the API server is back.
    """

    def __iter__(self) -> Iterator[float]:
        """Give the pauses of one request."""
        return itertools.chain((0.5, 1.0, 2.0, 4.0), itertools.repeat(8.0))


def kopf_settings() -> kopf.OperatorSettings:
    """Give Kopf's settings: no discovery (it takes rights on CRDs and namespaces), no events, paged lists."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.watching.chunk_size = 25  # read whole, and each may have megabytes: whoever writes it decides
    settings.watching.label_selectors["configmaps"] = f"{MANAGED_BY_LABEL}={FIELD_MANAGER}"
    settings.persistence.diffbase_storage = NoDiffBase()
    # A task for each object that showed something lately: at a start with many objects they were most of the memory.
    settings.queueing.idle_timeout = 0.1
    settings.queueing.exit_timeout = 0.1
    settings.networking.request_timeout = 30.0
    settings.networking.connect_timeout = 10.0
    settings.networking.error_backoffs = Backoffs()
    return settings
