"""Starts the operator: `python -m exchangerates [--install-crd]`, configured by the environment (see `api.Env`)."""

import gc
import signal
import sys

if __name__ == "__main__":
    # What the imports below make stays: to look through it again and again would take a ninth of the start.
    gc.disable()
    # A container's first process would ignore SIGTERM until the imports below are done and `_end_on_signals` is called.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import argparse
import asyncio
import datetime as dt
import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import kopf

from exchangerates import crd, handlers
from exchangerates.announcer import Announcer
from exchangerates.api import Env
from exchangerates.budget import Budget
from exchangerates.cluster import Cluster
from exchangerates.controller import Controller
from exchangerates.day_tables import DayTables
from exchangerates.endpoints import serving
from exchangerates.errors import ApiError, StartError
from exchangerates.metrics import Gauges, Metrics
from exchangerates.observed import Observed
from exchangerates.providers import PROVIDERS, FetchDays
from exchangerates.rate_tables import RateTables, today_utc
from exchangerates.rates import RateTable
from exchangerates.reconcile import Reconciler
from exchangerates.settings import Settings
from exchangerates.source import Source

START_AGAIN_S = 5.0
"""The pause after watches that ended by themselves."""

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
    gc.freeze()
    gc.enable()
    return asyncio.run(_run_until_told(replace(settings, install_crd=settings.install_crd or arguments.install_crd)))


async def _run_until_told(settings: Settings) -> int:
    _end_on_signals()
    try:
        await _run(settings)
    except StartError as error:
        logger.critical("%s", error)
        return 1
    except asyncio.CancelledError:
        logger.info("told to end")
    return 0


async def _run(settings: Settings) -> None:
    """Serve, and work until told to end. What ends the watches, such as a CRD that is gone, begins all of it anew."""
    namespaces: tuple[str | None, ...] = settings.watch_namespaces or (None,)
    observed, cluster, metrics = Observed(), Cluster(), Metrics(settings.defaults.providers)
    clock = functools.partial(dt.datetime.now, dt.UTC)
    announcer = Announcer(cluster, settings.deployment, clock)
    tables = RateTables([_source(name, settings, metrics, announcer) for name in settings.defaults.providers])
    reconciler = Reconciler(cluster, tables, observed, settings.defaults)
    controller = Controller(
        cluster,
        reconciler,
        observed,
        namespaces,
        settings.resync_interval_s,
        clock,
        metrics,
    )
    async with serving(
        settings.http_host,
        settings.http_port,
        problems=controller.problems,
        ready=controller.informer.listed.is_set,
        metrics=functools.partial(
            metrics.exposition, Gauges(controller.agenda.reasons, controller.backlog, controller.lag_s, tables.budgets)
        ),
    ) as port:
        logger.info("health and metrics are served on %s:%d", settings.http_host, port)
        while True:
            await _prepare_crd(settings, namespaces, metrics)
            try:
                await _watch_and_work(settings, controller, cluster, metrics)
            except Exception as error:  # noqa: BLE001 - whatever it is: Kopf has logged it with its traceback
                logger.error("the watches ended (%s); they are started anew in %.0f s", error, START_AGAIN_S)  # noqa: TRY400
                await asyncio.sleep(START_AGAIN_S)
            else:
                return


async def _prepare_crd(settings: Settings, namespaces: Sequence[str | None], metrics: Metrics) -> None:
    """Make sure of the CRD before Kopf looks for it: it looks once, and stays deaf if it is not there."""
    cluster = Cluster()
    login = await handlers.log_in(cluster, metrics.watch_opened)
    async with login.aiohttp_session:
        if settings.install_crd:
            try:
                await crd.install(cluster)
            except ApiError as error:
                raise StartError(
                    f"the CRD could not be installed: {error}; give the operator's account get, create and patch on "
                    "customresourcedefinitions, or apply operator/exchangerates/crd.yaml and leave --install-crd out"
                ) from error
        await crd.wait_for(cluster, namespaces)


async def _watch_and_work(settings: Settings, controller: Controller, cluster: Cluster, metrics: Metrics) -> None:
    """Run Kopf's watches and the controller's work; the end of either ends both."""
    stop = asyncio.Event()
    work = asyncio.create_task(controller.run(), name="controller")
    work.add_done_callback(lambda _: stop.set())
    registry = kopf.OperatorRegistry()

    def watching(path: str) -> None:
        metrics.watch_opened(path)
        controller.informer.watch_opened(path)

    handlers.register_watches(registry, controller.informer)
    handlers.register_session(registry, controller.informer, cluster, work, watching)
    try:
        await kopf.operator(
            registry=registry,
            settings=handlers.kopf_settings(),
            clusterwide=not settings.watch_namespaces,
            namespaces=settings.watch_namespaces,
            standalone=True,
            stop_flag=stop,
        )
    finally:
        cluster.disconnect()
        _end_on_signals()  # Kopf has put its own in their place
    if not work.cancelled():
        work.result()


def _end_on_signals() -> None:
    """Let SIGTERM and SIGINT end the current task: a container's first process has no handlers but its own."""
    if (task := asyncio.current_task()) is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _source(name: str, settings: Settings, metrics: Metrics, announcer: Announcer) -> Source:
    provider = PROVIDERS[name]
    url = settings.provider_urls.get(name, provider.url)
    key = settings.api_keys.get(name)
    limit = settings.max_calls_per_day.get(name)
    budget = Budget(limit) if limit else None
    least_interval_s = settings.min_fetch_intervals_s.get(name, provider.min_fetch_interval_s)
    history: DayTables | None = None
    if provider.fetch_days is not None:
        fetch_days = functools.partial(_fetch_days, provider.fetch_days, url, key)
        history = DayTables(name, fetch_days, metrics.fetched_day, budget, least_interval_s, provider.days_at_once)
    return Source(
        name=name,
        budget=budget,
        fetch=lambda: provider.fetch(url, key, today_utc()),
        min_fetch_interval_s=least_interval_s,
        observer=metrics.fetched,
        announce=announcer.interval_lengthened,
        history=history,
    )


def _fetch_days(fetch: FetchDays, url: str, key: str | None, days: Sequence[dt.date]) -> Mapping[dt.date, RateTable]:
    return fetch(url, key, days, today_utc())


def _configure_logs(settings: Settings) -> None:
    as_json = settings.log_format == "json"
    kopf.configure(log_format=kopf.LogFormat.JSON if as_json else kopf.LogFormat.FULL)
    logging.getLogger().setLevel(settings.log_level)
    # Kopf logs a line per event and handler; ours say what happened.
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLogger().level))
    logging.getLogger("urllib3").setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
