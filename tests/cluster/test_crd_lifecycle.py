"""The CRD that is not there yet, not there any more, somebody else's, or an older one of ours."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.operator_process import Operator, operator_environment
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import CRD_NAME, Env
from exchangerates_infra.crd import CRD_FILE
from exchangerates_infra.recorder import Recording
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.rateserver import RateServer
from localcluster.stack import condition

CRD = Reference("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", CRD_NAME)
MANAGED_BY = "app.kubernetes.io/managed-by"


@pytest.fixture(scope="module")
def empty_cluster(start_control_plane: Callable[[], ControlPlane]) -> ControlPlane:
    """A control plane of its own, on which nobody has applied the stack."""
    return start_control_plane()


@pytest.fixture(scope="module")
def admin(empty_cluster: ControlPlane) -> Iterator[Client]:
    """Its administrator."""
    with Client(empty_cluster.kubeconfig) as made:
        yield made


def definition() -> dict[str, Any]:
    """Give the CRD's manifest."""
    body: dict[str, Any] = yaml.safe_load(CRD_FILE.read_text(encoding="utf-8"))
    return body


@pytest.fixture
def operator(
    empty_cluster: ControlPlane, admin: Client, recording: Recording, rates: RateServer, tmp_path: Path
) -> Iterator[Operator]:
    """The operator, not started, with an administrator's client certificate; the cluster knows no ExchangeRates."""
    admin.delete(CRD)
    eventually(lambda: admin.get(CRD) is None, "the CRD is gone")
    made = Operator(tmp_path, empty_cluster.kubeconfig, operator_environment(recording, rates))
    yield made
    made.stop()


def established(admin: Client) -> bool:
    """Tell whether the API server has begun to serve the kind."""
    return condition(admin.get(CRD), "Established") == "True"


def published(admin: Client, name: str) -> None:
    """Wait until a new object is Ready, after the API server has begun to serve its kind."""
    namespace = Namespace(admin, "default")
    eventually(lambda: established(admin), "the CRD is established")
    namespace.rate(name)
    namespace.wait(name)


def test_a_crd_that_comes_late_is_waited_for(operator: Operator, admin: Client) -> None:
    """The operator is not ready before, and then goes on by itself."""
    operator.launch()
    eventually(lambda: "is not there; waiting" in operator.process.log.read_text(), "it waits")
    assert not operator.is_ready()
    admin.create(definition())
    eventually(operator.is_ready, "it is ready")
    published(admin, "late")


def test_a_crd_that_does_not_come_ends_the_process(operator: Operator) -> None:
    """With a code that makes Kubernetes start it anew, and a text that says what to do."""
    code, log = operator.run_to_end()
    assert code == 1
    assert "did not appear within 60 s; run `pulumi up`, or apply" in log
    assert "Traceback" not in log


def test_a_crd_that_is_deleted_and_made_again_is_served_again(operator: Operator, admin: Client) -> None:
    """By the same process, three times over: the objects are gone with it, and new ones are published."""
    admin.create(definition())
    operator.start()
    pid, log = operator.process.pid, operator.process.log
    for turn in range(3):
        published(admin, f"turn-{turn}")
        admin.delete(CRD)
        eventually(lambda: admin.get(CRD) is None, "the CRD is gone")
        eventually(lambda missed=turn + 1: log.read_text().count("is not there; waiting") == missed, "it is missed")  # type: ignore[misc] # bound now
        admin.create(definition())
        eventually(operator.is_ready, "it is ready again", 60.0)
    published(admin, "after")
    assert operator.process.pid == pid
    assert operator.get("/healthz") == "ok"


def test_the_operator_installs_the_crd_where_it_is_asked_to(operator: Operator, admin: Client) -> None:
    """On an empty cluster; a second start changes nothing."""
    operator.start(**{Env.INSTALL_CRD: "true"})
    published(admin, "installed")
    made = admin.get(CRD) or {}
    assert made["metadata"]["labels"][MANAGED_BY] == "exchange-rate-operator"
    operator.stop()
    operator.start(**{Env.INSTALL_CRD: "true"})
    assert (admin.get(CRD) or {})["metadata"]["generation"] == made["metadata"]["generation"]


def test_a_crd_that_somebody_else_manages_is_left_alone(operator: Operator, admin: Client) -> None:
    """To the letter, an older one too; the operator says so and works with it."""
    foreign = definition()
    del foreign["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["suspend"]
    admin.create(foreign)
    before = admin.get(CRD) or {}
    operator.start(**{Env.INSTALL_CRD: "true"})
    published(admin, "foreign")
    after = admin.get(CRD) or {}
    assert (after["spec"], after["metadata"].get("labels")) == (before["spec"], before["metadata"].get("labels"))
    assert "is managed by somebody else and left as it is" in operator.process.log.read_text()


def test_an_older_crd_of_ours_is_brought_up_to_date(operator: Operator, admin: Client) -> None:
    """With the objects that are stored under it."""
    older = definition()
    older["metadata"]["labels"] = {MANAGED_BY: "exchange-rate-operator"}
    older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"] = {
        "spec": {"type": "object", "properties": {"currency": {"type": "string"}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    admin.create(older)
    eventually(lambda: established(admin), "the CRD is established")
    namespace = Namespace(admin, "default")
    namespace.rate("stored")
    namespace.rate("stored-bad", currency="usd")
    operator.start(**{Env.INSTALL_CRD: "true"})
    namespace.wait("stored")
    namespace.wait("stored-bad", reason="InvalidSpec")
    schema = (admin.get(CRD) or {})["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert "suspend" in schema["properties"]["spec"]["properties"]


def test_a_process_without_rights_on_crds_says_so(
    operator: Operator, empty_cluster: ControlPlane, admin: Client, tmp_path: Path
) -> None:
    """--install-crd needs rights that the stack does not give, since there Pulumi owns the CRD."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "poor", "namespace": "default"}}
    admin.create(account)
    kubeconfig = empty_cluster.service_account_kubeconfig("default", "poor", tmp_path / "poor")
    code, log = operator.run_to_end(KUBECONFIG=str(kubeconfig), **{Env.INSTALL_CRD: "true"})
    assert code == 1
    assert "the CRD could not be installed: HTTP 403" in log
