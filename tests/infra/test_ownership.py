"""What a stack owns, keeps and protects, and what it leaves to somebody else: the namespace and the CRD."""

import pytest
from tests.infra.conftest import Program, of_kind, recorded

from exchangerates.api import CRD_NAME


def test_a_namespace_that_is_there_is_used_and_left(program: Program) -> None:
    """Everything else is the same, in its order, and a destroy leaves the namespace."""
    ours, theirs = program(namespace="rates"), program(namespace="rates", createNamespace="false")
    assert of_kind(theirs, "Namespace") == []
    assert [found for found in ours.manifests() if found["kind"] != "Namespace"] == theirs.manifests()
    assert theirs.outputs == ours.outputs
    assert theirs.outputs["namespace"] == "rates"


@pytest.mark.parametrize(
    ("values", "kind", "name", "provider"),
    [
        pytest.param({"createNamespace": "false"}, "Namespace", "exchange-rate-operator", "cluster", id="namespace"),
        pytest.param({"crd": '{"manage": false}'}, "CustomResourceDefinition", CRD_NAME, "cluster-crd", id="CRD"),
    ],
)
def test_what_somebody_else_has_is_read_and_let_go(
    program: Program, values: dict[str, str], kind: str, name: str, provider: str
) -> None:
    """Under the address of what the stack may have created: Pulumi then deletes neither it nor what is in it.

    What is not there stops the preview; nothing is registered that would need it.
    """
    (created,) = of_kind(program(), kind)
    recording = program(**values)
    assert of_kind(recording, kind) == []
    (read,) = recording.reads
    assert (read.urn, read.id) == (created.urn, name)
    assert f"::{provider}::" in read.provider
    (deployment,) = of_kind(recording, "Deployment")
    assert read.urn in deployment.depends_on
    assert program().reads == ()


def test_a_stack_without_the_crd_leaves_it_to_another(program: Program) -> None:
    """Stacks that share a cluster share one CRD, and the roles for people that come with it."""
    recording = program(crd='{"manage": false}')
    assert of_kind(recording, "CustomResourceDefinition") == []
    assert [role.name for role in of_kind(recording, "ClusterRole")] == ["exchange-rate-operator-rights"]


def test_who_takes_up_the_crd_has_roles_of_its_own(program: Program) -> None:
    """The stack that lets it go deletes its roles: others have to give the same rights by then."""
    had, takes = (
        [role for role in of_kind(recording, "ClusterRole") if "-people-" in role.name]
        for recording in (program(namespace="had"), program(namespace="takes", crd='{"adopt": true}'))
    )
    assert [role.inputs["rules"] for role in had] == [role.inputs["rules"] for role in takes]
    names = {role.inputs["metadata"]["name"] for role in (*had, *takes)}
    assert len(names) == len(had) + len(takes) == 4


@pytest.mark.parametrize(
    ("crd", "options", "adopt"),
    [
        pytest.param("{}", (False, False), "false", id="by default"),
        pytest.param('{"retain": true}', (True, False), "true", id="retained, and so taken up again"),
        pytest.param('{"adopt": true}', (False, False), "true", id="adopted once"),
        pytest.param('{"protect": true}', (False, True), "false", id="protected"),
    ],
)
def test_what_becomes_of_the_crd(program: Program, crd: str, options: tuple[bool, bool], adopt: str) -> None:
    """It is kept, protected or taken up, the roles for people are kept and taken up with it, and nothing else is."""
    recording = program(crd=crd)
    (found,) = of_kind(recording, "CustomResourceDefinition")
    assert (found.retain, found.protect) == options
    upserts = {
        provider.name: provider.inputs["upsertExistingObjects"]
        for provider in recording.resources
        if provider.type == "pulumi:providers:kubernetes"
    }
    assert upserts == {"cluster": "false", "cluster-crd": adopt}
    others = [other for other in recording.resources if other is not found and other.manifest() is not None]
    roles = [other for other in others if "-people-" in other.name]
    assert [(role.retain, role.protect) for role in roles] == [(found.retain, False)] * 2
    assert all("::cluster-crd::" in other.provider for other in (found, *roles))
    rest = [other for other in others if other not in roles]
    assert [other.name for other in rest if other.retain or other.protect or "::cluster-crd::" in other.provider] == []


def test_production_protects_its_crd() -> None:
    """Nobody takes every team's ExchangeRates away by a mistaken destroy."""
    protected = {stack: of_kind(recorded(stack), "CustomResourceDefinition")[0].protect for stack in ("dev", "prod")}
    assert protected == {"dev": False, "prod": True}
