"""From an older CRD with stored objects: they stay, and values that no longer validate break nobody else's rate."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import as_pulumi
from tests.cluster.operator_process import Operator, operator_environment
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, CRD_NAME, KIND
from exchangerates_infra.recorder import Recording, record, stack_file_values
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.errors import ApiError
from localcluster.rateserver import RateServer

NAMESPACE = "exchange-rate-operator"
NUMBER, NO_OBJECT = "a-number", "no-object"
STORED: dict[str, dict[str, Any]] = {
    "good": {"currency": "USD"},
    "lower-case": {"currency": "usd"},
    "no-code": {"currency": "dollars, please"},
    NUMBER: {"currency": 840},
    "no-duration": {"currency": "GBP", "refreshInterval": "soon"},
    "days": {"currency": "GBP", "maxAge": "7d"},
    NO_OBJECT: {"currency": "GBP", "target": "elsewhere"},
    "another-provider": {"currency": "GBP", "provider": "fixer"},
    "nothing": {},
    "too-short": {"currency": "GBP", "refreshInterval": "1s"},
    "strange-target": {"currency": "JPY", "target": {"name": "No Name!"}},
}
"""What an older CRD let through, by the object's name."""


def older_definition() -> dict[str, Any]:
    """Give a CRD without validation, such as the tutorial's, that kept whatever it was given."""
    spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": spec, "status": {**spec}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": KIND, "plural": "exchangerates", "singular": "exchangerate", "shortNames": ["er"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD_NAME},
        "spec": {"group": API_VERSION.partition("/")[0], "scope": "Namespaced", "names": names, "versions": [version]},
    }


@pytest.fixture(scope="module")
def control_plane(start_control_plane: Callable[[], ControlPlane]) -> ControlPlane:
    """A control plane of its own: this module begins with another CRD."""
    return start_control_plane()


@pytest.fixture(scope="module")
def program() -> Recording:
    """The local stack, told to take up the CRD that is there."""
    return record("local", stack_file_values("local", {"crd": {"adopt": True}, "rates": [{"currency": "CHF"}]}))


@pytest.fixture(scope="module")
def upgraded(admin: Client, program: Recording) -> Namespace:
    """A namespace with objects of the older CRD, after the stack has been brought up over it."""
    as_pulumi.create(admin, [older_definition()])
    team = "team"
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team}})
    for name, spec in STORED.items():
        metadata = {"name": name, "namespace": team}
        admin.create({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})
    crd, *others = sorted(program.manifests(), key=lambda found: found["kind"] != "CustomResourceDefinition")
    as_pulumi.take_up(admin, crd)
    assert as_pulumi.differences(admin, crd) == []
    as_pulumi.create(admin, others)
    return Namespace(admin, team)


@pytest.fixture
def operator(
    control_plane: ControlPlane, upgraded: Namespace, program: Recording, tmp_path: Path
) -> Iterator[Operator]:
    """The operator of the stack."""
    assert upgraded.name
    kubeconfig = control_plane.service_account_kubeconfig(NAMESPACE, NAMESPACE, tmp_path / "kubeconfig")
    with RateServer() as rates:
        rates.replay(dt.date(2026, 10, 30))
        made = Operator(tmp_path, kubeconfig, operator_environment(program, rates))
        made.start()
        yield made
        made.stop()


def test_stored_objects_survive_the_upgrade_as_they_were(admin: Client, upgraded: Namespace) -> None:
    """Each is there with the spec that it had; the new validation is in force for new ones."""
    stored = {found["metadata"]["name"]: found["spec"] for found in admin.items(API_VERSION, KIND, upgraded.name)}
    assert stored == STORED
    with pytest.raises(ApiError, match="three capital letters"):
        upgraded.rate("new", currency="usd")


def test_a_stored_value_that_no_longer_validates_breaks_nobody_else(upgraded: Namespace, operator: Operator) -> None:
    """The good ones are published; the others say which field is wrong, in their status, where the new CRD has one."""
    upgraded.wait("good")
    assert upgraded.data("good")["rate"]
    for name in STORED.keys() - {"good", NUMBER, NO_OBJECT}:
        upgraded.wait(name, reason="InvalidSpec")
        assert upgraded.config_map(name) is None
    conditions = upgraded.get("too-short")["status"]["conditions"]
    assert "refreshInterval" in next(found["message"] for found in conditions if found["type"] == "Ready")
    assert operator.get("/healthz") == "ok"


def test_a_stored_value_of_another_type_is_told_in_the_log(upgraded: Namespace, operator: Operator) -> None:
    """The API server takes no status for such an object: the log says why, and the operator stays well."""
    for name in (NUMBER, NO_OBJECT):
        eventually(lambda told=f"{name}: HTTP 422": told in operator.process.log.read_text(), "the log says why")  # type: ignore[misc] # bound now
        assert upgraded.config_map(name) is None
    upgraded.wait("good")
    assert operator.get("/healthz") == "ok"


def test_an_owner_mends_a_stored_value(upgraded: Namespace, operator: Operator) -> None:
    """A patch of the one wrong field is accepted, and the rate is published."""
    assert operator.is_ready()
    upgraded.change("lower-case", currency="GBP")
    upgraded.wait("lower-case")
    eventually(lambda: upgraded.data("lower-case").get("currency") == "GBP", "it is published")


def test_the_upgraded_stack_goes_whole(admin: Client, upgraded: Namespace, program: Recording) -> None:
    """Objects that no longer validate do not hold up a destroy."""
    as_pulumi.destroy(admin, program.teardown())
    assert admin.get(Reference("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", CRD_NAME)) is None
    as_pulumi.delete(admin, Reference("v1", "Namespace", "", upgraded.name))
