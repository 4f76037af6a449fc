"""The process ends after it wrote a ConfigMap and before it could write the status, and then no provider answers."""

import datetime as dt
import json
import os
import signal
from itertools import count
from pathlib import Path

from tests.cluster.operator_process import StartOperator
from tests.cluster.proxy import Proxy
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, KIND, REFRESH_ANNOTATION
from exchangerates.rates import TIME
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.processes import wait_until
from localcluster.rateserver import Fault, RateServer

BEFORE, AFTER = dt.date(2026, 10, 29), dt.date(2026, 10, 30)
SPECS: dict[str, dict[str, object]] = {"one": {}, "set": {"currency": None, "currencies": ["USD", "GBP"]}, "forged": {}}


def test_what_was_published_and_not_told_is_told_by_the_next_process(
    start_operator: StartOperator,
    namespace: Namespace,
    rates: RateServer,
    client: Client,
    control_plane: ControlPlane,
    tmp_path: Path,
) -> None:
    """The API server's books tell the operator's own quote from one that somebody wrote while nobody looked."""
    rates.replay(BEFORE)
    with Proxy(control_plane.server) as proxy:
        kubeconfig = proxy.kubeconfig(tmp_path / "operator.kubeconfig", tmp_path / "proxied.kubeconfig")
        often = "frankfurter=1s,ecb=1s"
        operator = start_operator(KUBECONFIG=str(kubeconfig), EXCHANGERATES_MIN_FETCH_INTERVALS=often)
        for name, spec in SPECS.items():
            namespace.rate(name, **spec)
            namespace.wait(name)
        forged = namespace.data("forged")
        proxy.lose_requests("/status?")
        rates.replay(AFTER)
        wishes = count()

        def have_new_rates() -> bool:
            for name in ("one", "set"):
                wish = {"metadata": {"annotations": {REFRESH_ANNOTATION: str(next(wishes))}}}
                client.patch(Reference(API_VERSION, KIND, namespace.name, name), wish)
            return date_of(namespace, "one") == date_of(namespace, "set") == AFTER

        assert wait_until(have_new_rates, 120.0, poll_s=1.0)
        assert operator.process.pid is not None
        os.kill(operator.process.pid, signal.SIGKILL)
        operator.stop()

    published = {name: namespace.data(name) for name in ("one", "set")}
    for name in published:
        assert told(namespace, name) == BEFORE.isoformat()
    now = dt.datetime.now(dt.UTC).strftime(TIME)
    later = {**json.loads(forged["quote"]), "rate": "9", "date": AFTER.isoformat(), "publishedAt": now}
    data = {**{key: str(later[key]) for key in ("rate", "date", "publishedAt")}, "quote": json.dumps(later)}
    client.patch(Reference("v1", "ConfigMap", namespace.name, "forged"), {"data": data})
    for provider in ("frankfurter", "ecb"):
        rates.fail(provider, Fault.HTTP_500)
    start_operator()
    eventually(lambda: namespace.data("forged") == forged, "what others wrote is put back")
    eventually(lambda: {told(namespace, name) for name in published} == {AFTER.isoformat()}, "the others are told")
    for name, held in published.items():
        assert (namespace.data(name), namespace.ready(name)) == (held, ("True", "Published"))


def date_of(namespace: Namespace, name: str) -> dt.date:
    """Give the day of the rate that a ConfigMap holds."""
    return dt.date.fromisoformat(namespace.data(name)["date"])


def told(namespace: Namespace, name: str) -> str:
    """Give the day of the rate that a status tells."""
    return str(namespace.get(name)["status"]["rates"][0]["date"])
