"""Lists are the truth: what a watch does not show is found all the same, and a watch that is deaf for good is told."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.cluster.audit import Audit
from tests.cluster.operator_process import ACCOUNT, OPERATOR_NAMESPACE, Operator, StartOperator, operator_environment
from tests.cluster.proxy import Proxy
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually
from tests.faults.faults import compact_etcd

from exchangerates.api import FIELD_MANAGER, PLURAL, Env
from exchangerates_infra.recorder import Recording
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.rateserver import RateServer
from localcluster.stack import AppliedStack

WRITTEN_BY = f"fieldManager={FIELD_MANAGER}"
RESYNC = "10s"
FOUND_WITHIN_S = 60.0
"""The list's own connection may be one of those that were cut; then it waits its 30 s for an answer."""
HEALED_WITHIN_S = 120.0
"""Kopf takes a watch for dead that was silent for 70 s."""
DEAF_WITHIN_S = 240.0
"""A change that a list shows, another one a minute and a half later, and no word of the watch between them."""


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[Proxy]:
    """A proxy before the session's API server."""
    with Proxy(control_plane.server) as made:
        yield made


@pytest.fixture
def through_proxy(start_operator: StartOperator, proxy: Proxy, tmp_path: Path) -> Operator:
    """The operator behind the proxy, with the shortest resync."""
    kubeconfig = proxy.kubeconfig(tmp_path / "operator.kubeconfig", tmp_path / "proxied.kubeconfig")
    return start_operator(KUBECONFIG=str(kubeconfig), **{Env.RESYNC_INTERVAL: RESYNC})


def test_what_a_silently_cut_watch_misses_is_found_by_a_list(
    through_proxy: Operator, proxy: Proxy, namespace: Namespace, client: Client
) -> None:
    """A new object, a changed one and a deleted ConfigMap; the operator stays alive, and the watch comes back."""
    namespace.rate("before")
    namespace.wait("before")
    eventually(lambda: proxy.opened >= 2, "both watches are open")
    opened = proxy.opened
    proxy.swallow_open()
    namespace.rate("while-cut")
    namespace.change("before", currency="GBP")
    namespace.wait("while-cut", within_s=FOUND_WITHIN_S)
    namespace.wait("before")
    client.delete(Reference("v1", "ConfigMap", namespace.name, "while-cut"))
    eventually(lambda: namespace.data("while-cut"), "the ConfigMap is put back", FOUND_WITHIN_S)
    assert proxy.opened == opened, "the watches were open all the time: the lists have found it"
    eventually(lambda: proxy.opened >= opened + 2, "both watches are made anew", HEALED_WITHIN_S)
    restarts = 'exchangerates_watch_restarts_total{resource="exchangerates"}'
    eventually(lambda: through_proxy.metric(restarts) >= 1.0, "one of them is counted when it is answered")
    assert through_proxy.get("/healthz") == "ok"


def test_a_watch_that_is_deaf_for_good_fails_liveness_and_its_changes_are_found(
    through_proxy: Operator, proxy: Proxy, namespace: Namespace
) -> None:
    """Every watch, also every new one, stays silent while lists are well; once one speaks again all is well."""
    proxy.swallow_watches()
    names = (f"rate-{number}" for number in count())

    def deaf() -> bool:
        name = next(names)
        namespace.rate(name)
        namespace.wait(name, within_s=FOUND_WITHIN_S)
        return "the watch of ExchangeRates is deaf" in through_proxy.get("/healthz")

    eventually(deaf, "liveness fails", DEAF_WITHIN_S)
    assert through_proxy.process.pid
    proxy.heal()
    namespace.rate("heard")
    eventually(lambda: through_proxy.get("/healthz") == "ok", "all is well again")


def test_an_outage_of_the_api_server_fails_nothing(through_proxy: Operator, proxy: Proxy, namespace: Namespace) -> None:
    """Neither the process nor liveness; what changed meanwhile is found."""
    namespace.rate("before")
    namespace.wait("before")
    proxy.cut()
    namespace.rate("while-cut")
    eventually(lambda: "a list failed" in through_proxy.process.log.read_text(), "the outage is noticed")
    assert through_proxy.get("/healthz") == "ok"
    assert through_proxy.get("/readyz") == "ok"
    proxy.heal()
    namespace.wait("while-cut")
    assert through_proxy.process.pid


def test_a_dead_owner_whose_end_nobody_told_gets_no_config_map_again(
    start_control_plane: Callable[[], ControlPlane],
    recording: Recording,
    rates: RateServer,
    tmp_path: Path,
) -> None:
    """Its DELETED event is lost in a compaction while the operator is cut off and the API server restarts."""
    control_plane = start_control_plane()
    with Client(control_plane.kubeconfig) as client, Proxy(control_plane.server) as proxy:
        AppliedStack(client, tmp_path / "applied.json").apply(recording.manifests())
        original = control_plane.service_account_kubeconfig(OPERATOR_NAMESPACE, ACCOUNT, tmp_path / "kubeconfig")
        environment = {**operator_environment(recording, rates), Env.RESYNC_INTERVAL: RESYNC}
        operator = Operator(tmp_path, proxy.kubeconfig(original, tmp_path / "proxied"), environment)
        namespace = Namespace(client, "default")
        operator.start()
        try:
            dead, changed = namespace.rate("dead"), namespace.rate("changed")
            namespace.wait("dead")
            namespace.wait("changed")
            proxy.cut()
            client.delete(dead)
            eventually(lambda: namespace.config_map("dead") is None, "its ConfigMap is collected", 90.0)
            namespace.change("changed", currency="GBP")
            compact_etcd(control_plane)
            control_plane.components[1].stop()
            control_plane.start(print)
            audit = Audit(control_plane.audit_log)
            proxy.heal()
            namespace.wait("changed")
            namespace.rate("after")
            namespace.wait("after")
            log = operator.process.log
            eventually(lambda: "default/dead is gone and its DELETED event was lost" in log.read_text(), "it is told")
            assert namespace.config_map("dead") is None
            assert [write for write in audit.writes() if "dead" in write] == []
            assert namespace.data("changed")["currency"] == "GBP"
            assert client.get(changed) is not None
        finally:
            operator.stop()


@pytest.mark.parametrize("again", [False, True], ids=["gone", "made again under its name"])
def test_a_config_map_that_goes_with_its_owner_is_not_made_again(
    start_operator: StartOperator,
    proxy: Proxy,
    namespace: Namespace,
    client: Client,
    tmp_path: Path,
    audit: Callable[[], Audit],
    *,
    again: bool,
) -> None:
    """Its own end is not heard of, only that of the ConfigMap, and no list will tell for long: the owner is read."""
    kubeconfig = proxy.kubeconfig(tmp_path / "operator.kubeconfig", tmp_path / "proxied.kubeconfig")
    start_operator(KUBECONFIG=str(kubeconfig), **{Env.RESYNC_INTERVAL: "24h"})
    owner = namespace.rate("owner")
    namespace.rate("other")
    namespace.wait("owner")
    namespace.wait("other")
    eventually(lambda: proxy.opened >= 2, "both watches are open")
    proxy.swallow_watches(PLURAL)
    log = audit()
    client.delete(owner)
    if again:
        namespace.rate("owner")
    eventually(lambda: namespace.config_map("owner") is None, "its ConfigMap is collected", 90.0)
    for _ in range(3):
        client.delete(Reference("v1", "ConfigMap", namespace.name, "other"))
        eventually(lambda: namespace.data("other"), "what has an owner is made again")
    assert namespace.config_map("owner") is None
    assert log.writes() == [f"create /api/v1/namespaces/{namespace.name}/configmaps?{WRITTEN_BY}"] * 3
