"""The whole program under Pulumi's mocks: what each stack file gives, and what its config may change."""

import json

from tests.infra.conftest import Program, container, environment, of_kind, recorded

from exchangerates.settings import Settings
from exchangerates_infra.recorder import Recording, record, stack_file_values

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
