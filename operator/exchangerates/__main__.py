"""Starts the operator: `python -m exchangerates [--install-crd]`, configured by the environment (see `api.Env`)."""

import argparse
import asyncio
import datetime as dt
import functools
import logging
import sys
from dataclasses import replace

import kopf

from exchangerates import crd, handlers
from exchangerates.api import Env
from exchangerates.cluster import Cluster
from exchangerates.controller import Controller
from exchangerates.endpoints import serving
from exchangerates.errors import ApiError, StartError
from exchangerates.metrics import Metrics
from exchangerates.observed import Observed
from exchangerates.providers import PROVIDERS
from exchangerates.rate_tables import RateTables, Source, today_utc
from exchangerates.rates import RateTable
from exchangerates.reconcile import Reconciler
from exchangerates.settings import Settings

logger = logging.getLogger("exchangerates")


def main() -> int:
    """Run until SIGTERM or SIGINT; give the exit code."""
    parser = argparse.ArgumentParser(prog="exchangerates", description=__doc__)
    parser.add_argument(
        "--install-crd", action="store_true", help=f"create the CRD at start, as {Env.INSTALL_CRD}=true does"
    )
    arguments = parser.parse_args()
    try:
        settings = Settings.from_environment()
    except StartError as error:
        sys.stderr.write(f"exchangerates: {error}\n")
        return 2
    _configure_logs(settings)
    try:
        asyncio.run(_run(replace(settings, install_crd=settings.install_crd or arguments.install_crd)))
    except StartError as error:
        logger.critical("%s", error)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def _run(settings: Settings) -> None:
    namespaces: tuple[str | None, ...] = settings.watch_namespaces or (None,)
    observed, cluster, metrics = Observed(), Cluster(), Metrics()
    tables = RateTables([_source(name, settings, metrics) for name in settings.defaults.providers])
    reconciler = Reconciler(cluster, tables, observed, settings.defaults)
    controller = Controller(
        cluster,
        reconciler,
        observed,
        namespaces,
        settings.resync_interval_s,
        functools.partial(dt.datetime.now, dt.UTC),
        metrics,
    )
    async with serving(
        settings.http_host,
        settings.http_port,
        problems=controller.problems,
        ready=controller.listed.is_set,
        metrics=functools.partial(metrics.exposition, controller.agenda.reasons, controller.backlog),
    ) as port:
        logger.info("health and metrics are served on %s:%d", settings.http_host, port)
        await _prepare_crd(settings, namespaces[0])
        await _watch_and_work(settings, controller, cluster)


async def _prepare_crd(settings: Settings, namespace: str | None) -> None:
    """Make sure of the CRD before Kopf looks for it: it looks once, and stays deaf if it is not there."""
    login = handlers.log_in(handlers.kopf_settings())
    if login is None:
        raise StartError("no credentials for an API server: set KUBECONFIG, or run in a Pod with a service account")
    async with login.aiohttp_session:
        cluster = Cluster()
        cluster.connect(login.aiohttp_session, login.server)
        if settings.install_crd:
            try:
                await crd.install(cluster)
            except ApiError as error:
                raise StartError(f"the CRD could not be installed: {error}") from error
        await crd.wait_for(cluster, namespace)


async def _watch_and_work(settings: Settings, controller: Controller, cluster: Cluster) -> None:
    """Run Kopf's watches and the controller's work; the end of either ends both."""
    stop = asyncio.Event()
    work = asyncio.create_task(controller.run(), name="controller")
    work.add_done_callback(lambda _: stop.set())
    registry = kopf.OperatorRegistry()
    handlers.register(registry, controller, cluster, work)
    await kopf.operator(
        registry=registry,
        settings=handlers.kopf_settings(),
        clusterwide=not settings.watch_namespaces,
        namespaces=settings.watch_namespaces,
        standalone=True,
        stop_flag=stop,
    )
    if not work.cancelled():
        work.result()


def _source(name: str, settings: Settings, metrics: Metrics) -> Source:
    provider = PROVIDERS[name]
    url = settings.provider_urls.get(name, provider.url)
    key = settings.exchangeratesapi_key if provider.needs_key else None

    def observe(name: str, seconds: float, table: RateTable | None) -> None:
        newest = max((price.date for price in table.prices.values()), default=None) if table else None
        day_s = dt.datetime.combine(newest, dt.time(), dt.UTC).timestamp() if newest else None
        metrics.fetched(name, seconds, day_s)

    return Source(
        name=name,
        fetch=lambda: provider.fetch(url, key, today_utc()),
        min_fetch_interval_s=settings.min_fetch_intervals_s.get(name, provider.min_fetch_interval_s),
        observer=observe,
    )


def _configure_logs(settings: Settings) -> None:
    as_json = settings.log_format == "json"
    kopf.configure(log_format=kopf.LogFormat.JSON if as_json else kopf.LogFormat.FULL)
    logging.getLogger().setLevel(settings.log_level)
    # Kopf logs a line per event and handler; ours say what happened.
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLogger().level))
    logging.getLogger("urllib3").setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
