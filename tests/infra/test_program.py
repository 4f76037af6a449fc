"""The whole program under Pulumi's mocks: what each stack file gives, and what its config may change."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.infra.conftest import Program, container, environment, of_kind, recorded

from exchangerates.api import CRD_NAME
from exchangerates.settings import Settings
from exchangerates_infra import recorder
from exchangerates_infra.config_reader import StackConfigError
from exchangerates_infra.project import ROOT
from exchangerates_infra.recorder import DuplicateResourceError, Recording, record, record_program, stack_file_values

CLUSTERS = ("pulumi:providers:kubernetes::cluster::", "pulumi:providers:kubernetes::cluster-crd::")


def test_every_stack_provisions_the_whole_operator(recording: Recording) -> None:
    """CRD, namespace, account, rights, Deployment and at least one rate, whatever the environment."""
    kinds = {manifest["kind"] for manifest in recording.manifests()}
    assert kinds == {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Deployment",
        "ExchangeRate",
        "Namespace",
        "Role",
        "RoleBinding",
        "Service",
        "ServiceAccount",
    }


def test_no_resource_escapes_the_explicit_provider(recording: Recording) -> None:
    """Every Kubernetes resource is on the provider whose context the stack names."""
    on_cluster = [resource for resource in recording.resources if resource.manifest() is not None]
    assert on_cluster
    escaped = [found.name for found in on_cluster if not any(cluster in found.provider for cluster in CLUSTERS)]
    assert escaped == []


def test_ambient_clusters_are_out_of_reach(stack: str) -> None:
    """The stack file switches Pulumi's default Kubernetes provider off, for what someone may add later."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    assert config["pulumi:disable-default-providers"] == ["kubernetes"]


def test_the_providers_have_the_stacks_context(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The context is the stack's own word, and it identifies the cluster; nothing of this machine is in the state."""
    monkeypatch.setenv("KUBECONFIG", "/somebody/elses/config")
    recording = record(stack, stack_file_values(stack))
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    context = config["exchange-rate-operator:kubeContext"]
    providers = [resource for resource in recording.resources if resource.type == "pulumi:providers:kubernetes"]
    assert {provider.name for provider in providers} == {"cluster", "cluster-crd"}
    for provider in providers:
        assert (provider.inputs["context"], provider.inputs["clusterIdentifier"]) == (context, context)
        assert provider.inputs["kubeconfig"] == ""


def test_a_kubeconfig_that_is_no_path_stays_secret(program: Program) -> None:
    """Its content holds credentials: it is encrypted in the state."""
    content = "apiVersion: v1\nkind: Config\nusers: [planted]\n"
    recording = program(kubeconfig=content, secret=("kubeconfig",))
    for provider in [found for found in recording.resources if found.type == "pulumi:providers:kubernetes"]:
        assert (provider.inputs["kubeconfig"], provider.secrets) == (content, ("kubeconfig",))
    assert "planted" not in json.dumps(recording.outputs)


def test_the_operator_accepts_its_environment(recording: Recording) -> None:
    """What the Deployment sets is what the operator reads."""
    settings = Settings.from_environment(environment(recording))
    assert settings.defaults.base == "EUR"
    assert settings.defaults.providers == ("frankfurter", "ecb")
    assert settings.defaults.refresh_interval_s == 3600.0


def test_a_second_run_registers_the_same(stack: str, recording: Recording) -> None:
    """Nothing depends on a clock, on chance or on the order of a set."""
    assert record(stack, stack_file_values(stack)) == recording


def test_outputs_say_what_comes_next(stack: str, recording: Recording) -> None:
    """A person can look at the rates without knowing a name."""
    context = stack_file_values(stack)["exchange-rate-operator:kubeContext"]
    assert recording.outputs["showRates"] == f"kubectl --context {context} get exchangerates --all-namespaces"
    assert "default/exchange-rate-usd" in recording.outputs["exchangeRates"]
    assert recording.outputs["serviceAccount"] == "exchange-rate-operator/exchange-rate-operator"
    assert recording.outputs["image"] == container(recording)["image"]


def test_a_kubeconfig_of_one_line_is_no_path_either(program: Program) -> None:
    """Its content is printed nowhere, and refused where it is not encrypted."""
    content = '{"apiVersion": "v1", "users": [{"token": "planted"}]}'
    recording = program(kubeconfig=content, secret=("kubeconfig",))
    assert "planted" not in json.dumps(recording.outputs)
    with pytest.raises(StackConfigError, match="its content") as caught:
        program(kubeconfig=content)
    assert "planted" not in str(caught.value)


def test_commands_lead_to_the_stacks_own_kubeconfig(program: Program) -> None:
    """A printed command works as it stands, wherever the kubeconfig is."""
    recording = program(kubeconfig="/home/me/clusters/dev")
    assert "--kubeconfig /home/me/clusters/dev get exchangerates" in recording.outputs["showRates"]
    assert "--kubeconfig /home/me/clusters/dev --namespace" in recording.outputs["showLogs"]


def test_a_kubeconfig_at_home_is_found_by_a_shell(program: Program, tmp_path: Path) -> None:
    """The home directory stays outside the quotes, and what follows inside them."""
    shown = program(kubeconfig="~/.kube/the staging").outputs["showRates"]
    words = shown.replace("kubectl", "printf '%s\\n'", 1)
    told = subprocess.run(
        ["/bin/sh", "-c", words], env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert told[told.index("--kubeconfig") + 1] == f"{tmp_path}/.kube/the staging"


def test_an_update_waits_for_rates_and_rollout_in_prod() -> None:
    """`pulumi up` is done when the environment's rates are Ready."""
    for rate in of_kind(recorded("prod"), "ExchangeRate"):
        assert rate.inputs["metadata"]["annotations"] == {"pulumi.com/waitFor": "condition=Ready"}
        assert rate.timeouts == ("3m", "3m")  # one that is never Ready is told within one's patience
    (deployment,) = of_kind(recorded("prod"), "Deployment")
    waited = json.loads(deployment.inputs["metadata"]["annotations"]["pulumi.com/waitFor"])
    # Of the new Pod, not of one that is on its way out.
    assert waited == ["jsonpath={.status.updatedReplicas}=1", "jsonpath={.status.availableReplicas}=1"]


def test_an_update_does_not_wait_for_a_suspended_rate(program: Program) -> None:
    """It never becomes Ready; one beside it that says it is not suspended is waited for."""
    rates = [{"currency": "USD", "suspend": True}, {"currency": "GBP", "suspend": False}, {"currency": "JPY"}]
    recording = program(rates=json.dumps(rates), waitForRates="true")
    awaited = {
        rate.inputs["spec"]["currency"]: rate.inputs["metadata"].get("annotations")
        for rate in of_kind(recording, "ExchangeRate")
    }
    wait = {"pulumi.com/waitFor": "condition=Ready"}
    assert awaited == {"USD": None, "GBP": wait, "JPY": wait}


def test_local_waits_for_nothing_and_builds_nothing() -> None:
    """The embedded control plane has no node: no Pod ever becomes ready there."""
    assert of_kind(recorded("local"), "Image") == []
    (deployment,) = of_kind(recorded("local"), "Deployment")
    assert deployment.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    for rate in of_kind(recorded("local"), "ExchangeRate"):
        assert "annotations" not in rate.inputs["metadata"]


def test_stack_config_drives_the_defaults(program: Program) -> None:
    """Base, chain, interval and age reach the operator's environment."""
    recording = program(baseCurrency="USD", providers='["ecb"]', refreshInterval="30m", maxAge="96h")
    defaults = Settings.from_environment(environment(recording)).defaults
    assert (defaults.base, defaults.providers) == ("USD", ("ecb",))
    assert (defaults.refresh_interval_s, defaults.max_age_s) == (1800.0, 345600.0)


def test_stack_config_drives_the_rates(program: Program) -> None:
    """A rate's fields become its spec, and its name and namespace have defaults."""
    rates = [{"currency": "CHF"}, {"name": "yen", "namespace": "shop", "currency": "JPY", "base": "USD"}]
    found = {
        (rate.inputs["metadata"]["namespace"], rate.inputs["metadata"]["name"]): rate.inputs["spec"]
        for rate in of_kind(program(rates=json.dumps(rates)), "ExchangeRate")
    }
    assert found == {
        ("default", "exchange-rate-chf"): {"currency": "CHF"},
        ("shop", "yen"): {"currency": "JPY", "base": "USD"},
    }


def test_rates_whose_names_join_alike_are_two(program: Program) -> None:
    """A hyphen may be in a name and in a namespace; a stack of an older version keeps its objects by their aliases."""
    rates = [
        {"name": "a-usd", "namespace": "team", "currency": "USD"},
        {"name": "usd", "namespace": "team-a", "currency": "USD"},
    ]
    found = {rate.name: rate.aliases for rate in of_kind(program(rates=json.dumps(rates)), "ExchangeRate")}
    former = ("exchange-rate-operator-rate-team-a-usd",)
    assert found == {
        "exchange-rate-operator-rate-team/a-usd": former,
        "exchange-rate-operator-rate-team-a/usd": former,
    }


def test_a_renamed_rate_is_one_replacement_that_deletes_first(program: Program) -> None:
    """Both would want one ConfigMap; Pulumi finds the old one by its alias, also as an older version called it."""
    rates = [{"name": "b", "formerName": "a", "currency": "USD", "target": {"name": "x"}}]
    (rate,) = of_kind(program(rates=json.dumps(rates)), "ExchangeRate")
    assert rate.delete_before_replace
    prefix = "exchange-rate-operator-rate-default"
    assert {f"{prefix}/a", f"{prefix}-a"} < set(rate.aliases)
    assert rate.inputs["spec"] == {"currency": "USD", "target": {"name": "x"}}


def test_another_config_map_leaves_a_rate_in_its_place(program: Program) -> None:
    """A new `target.name` is an update of the object that is there: its name to Pulumi is the same."""
    first, second = (
        of_kind(program(rates=json.dumps([{"currency": "USD", **target}])), "ExchangeRate")[0].urn
        for target in ({}, {"target": {"name": "x"}})
    )
    assert first == second


def test_a_resource_that_is_registered_twice_is_refused(tmp_path: Path) -> None:
    """The engine refuses it too: of one type, name and parent there is one."""
    file = tmp_path / "program.py"
    file.write_text("import pulumi_kubernetes as k8s\n" + 'k8s.Provider("c", context="c")\n' * 2)
    with pytest.raises(DuplicateResourceError, match=r"Duplicate resource URN: urn:pulumi:dev::.*::c$"):
        record_program(file, "dev", {})


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


def test_the_api_key_is_a_secret_and_nowhere_else(program: Program) -> None:
    """The key is in the Secret, encrypted in Pulumi's state, and its change rolls the Pod."""
    chain = '["exchangeratesapi", "ecb"]'
    first, second = (
        program(providers=chain, exchangeratesapiKey=key, secret=("exchangeratesapiKey",))
        for key in ("planted-key-1", "planted-key-2")
    )
    (secret,) = of_kind(first, "Secret")
    assert secret.inputs["stringData"] == {"exchangeratesapi-key": "planted-key-1"}
    assert secret.secrets == ("stringData",)
    (deployment,) = of_kind(first, "Deployment")
    assert deployment.secrets == ()
    everything_else = [resource.inputs for resource in first.resources if resource is not secret]
    assert "planted-key" not in json.dumps([everything_else, first.outputs])
    hashes = [
        of_kind(recording, "Deployment")[0].inputs["spec"]["template"]["metadata"]["annotations"]
        for recording in (first, second)
    ]
    assert hashes[0] != hashes[1]
    assert any("valueFrom" in entry for entry in container(first)["env"])


def test_a_key_that_is_twice_in_a_stack_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The CLI refuses it, too: the last one would win in silence."""
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    file = tmp_path / "Pulumi.here.yaml"
    file.write_text("config:\n  exchange-rate-operator:minFetchIntervals:\n    ecb: 1h\n    frankfurter: 1h\n")
    monkeypatch.setattr(recorder, "ROOT", tmp_path)
    intervals = '{"ecb": "1h", "frankfurter": "1h"}'
    assert stack_file_values("here")["exchange-rate-operator:minFetchIntervals"] == intervals
    file.write_text(file.read_text().replace("frankfurter", "ecb"))
    with pytest.raises(StackConfigError, match="the stack file has ecb twice; write it once"):
        stack_file_values("here")
