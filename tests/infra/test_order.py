"""The order in which things come and go, from the recorded requests: what needs comes after, and goes before."""

import json

import pytest
from tests.infra.conftest import Program, of_kind, recorded_with

from exchangerates.api import CRD_NAME
from exchangerates_infra.project import ROOT
from exchangerates_infra.recorder import Recording

EVERYTHING = {
    "providers": ["exchangeratesapi", "ecb"],
    "exchangeratesapiKey": "planted-key",
    "proxy": {"https": "http://proxy.example.com:3128"},
    "proxyCredentials": "me:planted-key",
    "caBundle": "-----BEGIN CERTIFICATE-----",
    "networkPolicy": {"enabled": True},
    "monitoring": {"enabled": True},
}
"""Every option that adds a resource."""


def everything(program: Program, **more: object) -> Recording:
    """Run the program with every option."""
    values = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in {**EVERYTHING, **more}.items()
    }
    return program(secret=("exchangeratesapiKey", "proxyCredentials"), **values)


@pytest.mark.parametrize("watched", [[], ["default", "shop"]], ids=["in the whole cluster", "in some namespaces"])
def test_each_resource_is_created_after_what_it_needs(program: Program, watched: list[str]) -> None:
    """Rates after the Deployment, the Deployment after all that its Pod reads and is allowed, all in its namespace."""
    recording = everything(program, watchNamespaces=watched)
    (deployment,) = of_kind(recording, "Deployment")
    (namespace,) = of_kind(recording, "Namespace")
    kinds = ["CustomResourceDefinition", "Secret", "NetworkPolicy", "RoleBinding", "ClusterRoleBinding"]
    needed = {found.urn for kind in kinds for found in of_kind(recording, kind)}
    needed |= {found.urn for found in of_kind(recording, "ConfigMap") if found.name.endswith("-ca")}
    assert len(needed) == (7 if watched else 6)
    assert needed | {namespace.urn} <= set(deployment.depends_on)
    for rate in of_kind(recording, "ExchangeRate"):
        assert needed | {deployment.urn} <= set(rate.depends_on)
    for inside in recording.resources:
        if inside.manifest() is not None and inside.inputs["metadata"].get("namespace") == "exchange-rate-operator":
            assert namespace.urn in inside.depends_on, inside.name
    for binding in [*of_kind(recording, "RoleBinding"), *of_kind(recording, "ClusterRoleBinding")]:
        assert {"Role", "ServiceAccount"} <= {
            urn.split("::")[2].rpartition(":")[2].removeprefix("Cluster") for urn in binding.depends_on
        }


def test_destroying_takes_the_rates_first_and_the_namespace_last(program: Program) -> None:
    """While the rates go the operator is there; while the operator goes it has its rights and its kind."""
    gone = [manifest["kind"] for manifest in everything(program, crd={"protect": False}).teardown()]
    rates = [position for position, kind in enumerate(gone) if kind == "ExchangeRate"]
    deployment = gone.index("Deployment")
    assert rates == list(range(len(rates)))
    assert deployment == len(rates)
    for kind in ("CustomResourceDefinition", "ClusterRoleBinding", "RoleBinding", "Secret", "NetworkPolicy"):
        assert gone.index(kind) > deployment
    for kind in ("Deployment", "Secret", "Service", "ServiceAccount", "ConfigMap", "ServiceMonitor"):
        assert max(position for position, found in enumerate(gone) if found == kind) < gone.index("Namespace")


def test_destroying_leaves_what_is_retained(program: Program) -> None:
    """A retained CRD stays with the roles by which people reach its objects; the stack's own rates go."""
    kept, all_gone = everything(program, crd={"retain": True}).teardown(), everything(program).teardown()
    left = [(found["kind"], found["metadata"]["name"]) for found in all_gone if found not in kept]
    assert sorted(left) == [
        ("ClusterRole", "exchange-rate-operator:edit"),
        ("ClusterRole", "exchange-rate-operator:view"),
        ("CustomResourceDefinition", CRD_NAME),
    ]


def test_a_second_run_of_everything_registers_the_same(program: Program) -> None:
    """Nothing depends on a clock, on chance or on the order of a set, whatever is switched on."""
    first = everything(program)
    recorded_with.cache_clear()
    second = everything(program)
    assert second is not first
    assert second == first


def test_nothing_of_this_machine_is_registered(program: Program) -> None:
    """No absolute path: another machine registers the same."""
    recording = everything(program, image={})
    texts = json.dumps([dict(resource.inputs) for resource in recording.resources])
    (image,) = of_kind(recording, "Image")
    assert image.inputs["context"] == {"location": "../operator"}
    assert str(ROOT) not in texts


@pytest.mark.parametrize(
    ("key", "value", "kinds"),
    [
        pytest.param("logLevel", "DEBUG", {"Deployment"}, id="a setting"),
        pytest.param("refreshInterval", "2h", {"Deployment"}, id="the refresh interval"),
        pytest.param("pod", '{"labels": {"team": "payments"}}', {"Deployment"}, id="labels"),
        pytest.param("exchangeratesapiKey", "planted-key-2", {"Deployment", "Secret"}, id="the key"),
        pytest.param("proxyCredentials", "me:planted-key-2", {"Deployment", "Secret"}, id="the proxy's password"),
        pytest.param("caBundle", "-----BEGIN CERTIFICATE----- 2", {"Deployment", "ConfigMap"}, id="the authorities"),
        pytest.param("networkPolicy", '{"enabled": true, "apiServerPorts": [8443]}', {"NetworkPolicy"}, id="a port"),
        pytest.param("rates", '[{"currency": "CHF"}]', {"ExchangeRate"}, id="the rates"),
        pytest.param("waitForRates", "false", {"ExchangeRate"}, id="waiting for the rates"),
    ],
)
def test_a_change_of_the_config_changes_only_what_it_is_about(
    program: Program, key: str, value: str, kinds: set[str]
) -> None:
    """What a preview shows is what was changed, and nothing is replaced by it."""
    before, after = everything(program), everything(program, **{key: value})
    then, now = (
        {found.urn: found for found in recording.resources if found.manifest()} for recording in (before, after)
    )
    changed = {urn for urn in then.keys() | now.keys() if then.get(urn) != now.get(urn)}
    assert {urn.split("::")[2].rpartition(":")[2] for urn in changed} == kinds
    for urn in changed & then.keys() & now.keys():
        assert then[urn].inputs["metadata"]["name"] == now[urn].inputs["metadata"]["name"]


def test_a_move_to_another_namespace_ends_the_old_operator_first(program: Program) -> None:
    """Two operators at once would fetch twice."""
    (deployment,) = of_kind(everything(program, namespace="rates"), "Deployment")
    assert deployment.delete_before_replace
