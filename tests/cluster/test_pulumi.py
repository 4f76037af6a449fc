"""The stack by the real Pulumi CLI and its Kubernetes provider: what a platform team does after the first `up`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import as_pulumi
from tests.cluster.leftovers import assert_as_before, everything, untouched
from tests.cluster.pulumi_stack import TestedStack
from tests.cluster.test_stack import NEEDS_PULUMI

from exchangerates.api import API_VERSION, CRD_NAME, KIND
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.pulumi_cli import find_pulumi

pytestmark = NEEDS_PULUMI

OWN = "exchange-rate-operator"
DEPLOYMENT = Reference("apps/v1", "Deployment", OWN, OWN)
NAMESPACE = Reference("v1", "Namespace", "", OWN)
CRD = Reference("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", CRD_NAME)
RATE = Reference(API_VERSION, KIND, "default", "exchange-rate-usd")
USD = f"{KIND} exchange-rate-operator-rate-default/exchange-rate-usd"


@pytest.fixture(scope="module")
def control_plane(start_control_plane: Callable[[], ControlPlane]) -> ControlPlane:
    """A control plane of its own."""
    return untouched(start_control_plane)


@pytest.fixture
def values(control_plane: ControlPlane) -> dict[str, Any]:
    """What differs from the stack file `local`."""
    return {"kubeconfig": str(control_plane.kubeconfig), "rates": [{"currency": "USD"}]}


@pytest.fixture
def stack(admin: Client, values: dict[str, Any], tmp_path: Path) -> Iterator[TestedStack]:
    """The stack, brought up; afterwards nothing is left."""
    with brought_up(admin, values, tmp_path) as made:
        yield made


@contextmanager
def brought_up(admin: Client, values: dict[str, Any], directory: Path) -> Iterator[TestedStack]:
    """Bring a stack up, and take it down again without a trace."""
    before = everything(admin)
    made = TestedStack(str(find_pulumi()), directory, "local")
    made.up(values)
    yield made
    made.destroy()
    assert_as_before(admin, before, within_s=120.0)


def test_a_preview_changes_nothing(admin: Client, values: dict[str, Any], tmp_path: Path) -> None:
    """It names all that an update would make, on a cluster without any of it."""
    before = everything(admin)
    shown = TestedStack(str(find_pulumi()), tmp_path, "local").preview(values)
    assert set(shown.values()) == {"create"}
    assert {USD, f"Deployment {OWN}-deployment", f"CustomResourceDefinition {OWN}-crd"} <= shown.keys()
    assert everything(admin) == before


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        pytest.param({"refreshInterval": "2h"}, {f"Deployment {OWN}-deployment": "update"}, id="the interval"),
        pytest.param({"rates": [{"currency": "USD", "maxAge": "36h"}]}, {USD: "update"}, id="a field of a rate"),
        pytest.param(
            {"rates": [{"currency": "USD", "name": "dollar", "formerName": "exchange-rate-usd"}]},
            {f"{KIND} exchange-rate-operator-rate-default/dollar": "replace"},
            id="a rate's name",
        ),
    ],
)
def test_a_change_of_the_config_changes_what_it_is_about(
    stack: TestedStack, values: dict[str, Any], changed: dict[str, Any], shown: dict[str, str]
) -> None:
    """The preview shows that alone, and after the update there is nothing to do."""
    assert stack.preview({**values, **changed}) == shown
    stack.up({**values, **changed})
    stack.up({**values, **changed}, "--expect-no-changes")


@pytest.mark.parametrize("deleted", [CRD, NAMESPACE, DEPLOYMENT, RATE], ids=lambda deleted: str(deleted.kind))
def test_what_somebody_deleted_comes_back(
    stack: TestedStack, admin: Client, values: dict[str, Any], deleted: Reference
) -> None:
    """`refresh` finds what is gone, with all that went along; `up` makes it again."""
    as_pulumi.delete(admin, deleted)
    stack.refresh()
    assert "create" in stack.preview(values).values()
    stack.up(values)
    assert admin.get(DEPLOYMENT)
    assert admin.get(RATE)
    stack.up(values, "--refresh", "--expect-no-changes")


def test_what_somebody_changed_is_put_back(stack: TestedStack, admin: Client, values: dict[str, Any]) -> None:
    """Without a conflict, though another field manager has the field by then."""
    admin.patch(DEPLOYMENT, {"spec": {"replicas": 0}})
    stack.up(values, "--refresh")
    assert (admin.get(DEPLOYMENT) or {})["spec"]["replicas"] == 1


def test_an_older_stack_is_taken_over(stack: TestedStack, admin: Client, values: dict[str, Any]) -> None:
    """Its rates had other names to Pulumi: the objects are the same, and nothing is made anew."""
    uid = (admin.get(RATE) or {})["metadata"]["uid"]
    (urn,) = [urn for urn in stack.state() if urn.endswith("::exchange-rate-operator-rate-default/exchange-rate-usd")]
    stack.rename(urn, "exchange-rate-operator-rate-default-exchange-rate-usd")
    stack.up(values, "--expect-no-changes")
    assert urn in stack.state()
    assert (admin.get(RATE) or {})["metadata"]["uid"] == uid


def test_two_rates_that_had_one_name_are_not_taken_for_each_other(stack: TestedStack, values: dict[str, Any]) -> None:
    """The older name does not say whose it is: the preview stops, and names both."""
    (urn,) = [urn for urn in stack.state() if urn.endswith("::exchange-rate-operator-rate-default/exchange-rate-usd")]
    stack.rename(urn, "exchange-rate-operator-rate-default-exchange-rate-usd")
    alike = {"currency": "USD", "namespace": "default-exchange", "name": "rate-usd"}
    told = stack.refused({**values, "rates": [*values["rates"], alike]})
    assert "Duplicate resource alias" in told
    assert "default/exchange-rate-usd" in told
    assert "default-exchange/rate-usd" in told


def test_an_update_that_failed_half_way_goes_on(stack: TestedStack, admin: Client, values: dict[str, Any]) -> None:
    """Once what was missing is there, the same command ends well."""
    values = {**values, "rates": [*values["rates"], {"currency": "GBP", "namespace": "shop"}]}
    assert "shop" in stack.refused(values, "up", "--yes", "--skip-preview")
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    stack.up(values)
    stack.up(values, "--expect-no-changes")
    stack.up({**values, "rates": [{"currency": "USD"}]})
    admin.delete(Reference("v1", "Namespace", "", "shop"))


@pytest.mark.parametrize(
    ("kept", "changed"),
    [
        pytest.param(NAMESPACE, {"createNamespace": False}, id="namespace"),
        pytest.param(CRD, {"crd": {"manage": False}}, id="CRD"),
    ],
)
def test_what_becomes_somebody_elses_stays(
    admin: Client, values: dict[str, Any], tmp_path: Path, kept: Reference, changed: dict[str, Any]
) -> None:
    """The stack lets go of what it has created, with all that is in it; a destroy leaves it too."""
    before = everything(admin)
    stack = TestedStack(str(find_pulumi()), tmp_path, "local")
    stack.up(values)
    uids = [(admin.get(found) or {})["metadata"]["uid"] for found in (kept, RATE, DEPLOYMENT)]
    assert "delete" not in {
        stack.preview({**values, **changed}).get(f"{kept.kind} {OWN}-{name}") for name in ("crd", "namespace")
    }
    stack.up({**values, **changed})
    assert [(admin.get(found) or {})["metadata"]["uid"] for found in (kept, RATE, DEPLOYMENT)] == uids
    stack.up({**values, **changed}, "--expect-no-changes")
    stack.destroy()
    assert (admin.get(kept) or {})["metadata"]["uid"] == uids[0]
    as_pulumi.delete(admin, kept)
    assert_as_before(admin, before, within_s=120.0)


@pytest.mark.parametrize(
    ("missing", "changed"),
    [
        pytest.param(OWN, {"createNamespace": False}, id="namespace"),
        pytest.param(CRD_NAME, {"crd": {"manage": False}}, id="CRD"),
    ],
)
def test_what_is_not_there_stops_the_preview(
    values: dict[str, Any], tmp_path: Path, missing: str, changed: dict[str, Any]
) -> None:
    """At once, and by its name, instead of an update that waits for a Pod that cannot start."""
    told = TestedStack(str(find_pulumi()), tmp_path, "local").refused({**values, **changed})
    assert missing in told


def test_two_stacks_share_a_cluster(admin: Client, values: dict[str, Any], tmp_path: Path) -> None:
    """Each has its own namespace and objects; one comes and goes beside the other."""
    first = {**values, "watchNamespaces": ["default"]}
    second = {**values, "namespace": "other", "watchNamespaces": ["kube-public"], "crd": {"manage": False}, "rates": []}
    with brought_up(admin, first, tmp_path / "first") as stack:
        with brought_up(admin, second, tmp_path / "second") as other:
            other.up(second, "--expect-no-changes")
        stack.up(first, "--refresh", "--expect-no-changes")


def test_secrets_are_secret_in_the_state(stack: TestedStack, admin: Client, values: dict[str, Any]) -> None:
    """The key is in the cluster's Secret, and nowhere in the state in plain text."""
    key = stack.encrypted("exchangeratesapiKey", "planted-key")
    values = {**values, "providers": ["exchangeratesapi", "ecb"], "exchangeratesapiKey": key}
    stack.up(values)
    assert admin.get(Reference("v1", "Secret", OWN, OWN))
    state = stack.state()
    assert any(urn.endswith("-api-key") for urn in state)
    assert "planted-key" not in str(state)
    stack.up(values, "--expect-no-changes")
