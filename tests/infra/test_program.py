"""The whole program under Pulumi's mocks: what each stack file gives, and what its config may change."""

import json

import yaml
from tests.infra.conftest import Program, container, environment, of_kind, recorded

from exchangerates.settings import Settings
from exchangerates_infra.project import ROOT
from exchangerates_infra.recorder import Recording, record, stack_file_values

CLUSTER = "pulumi:providers:kubernetes::cluster::"


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
        "ServiceAccount",
    }


def test_no_resource_escapes_the_explicit_provider(recording: Recording) -> None:
    """Every Kubernetes resource is on the provider whose context the stack names."""
    on_cluster = [resource for resource in recording.resources if resource.manifest() is not None]
    assert on_cluster
    assert [resource.name for resource in on_cluster if CLUSTER not in resource.provider] == []


def test_ambient_clusters_are_out_of_reach(stack: str) -> None:
    """The stack file switches Pulumi's default Kubernetes provider off, for what someone may add later."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    assert config["pulumi:disable-default-providers"] == ["kubernetes"]


def test_the_provider_has_the_stacks_context(stack: str, recording: Recording) -> None:
    """The context is the stack's own word."""
    (provider,) = [resource for resource in recording.resources if resource.type == "pulumi:providers:kubernetes"]
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    assert provider.inputs["context"] == config["exchange-rate-operator:kubeContext"]


def test_the_operator_accepts_its_environment(recording: Recording) -> None:
    """What the Deployment sets is what the operator reads."""
    settings = Settings.from_environment(environment(recording))
    assert settings.defaults.base == "EUR"
    assert settings.defaults.providers == ("frankfurter", "ecb")
    assert settings.defaults.refresh_interval_s == 3600.0


def test_a_second_run_registers_the_same(stack: str, recording: Recording) -> None:
    """Nothing depends on a clock, on chance or on the order of a set."""
    assert record(stack, stack_file_values(stack)) == recording


def test_each_resource_comes_after_what_it_needs(recording: Recording) -> None:
    """Rates after the kind, the rights and the Deployment, so that destroying takes them first."""
    (deployment,) = of_kind(recording, "Deployment")
    (crd,) = of_kind(recording, "CustomResourceDefinition")
    (binding,) = of_kind(recording, "ClusterRoleBinding")
    (namespace,) = of_kind(recording, "Namespace")
    assert {crd.urn, binding.urn, namespace.urn} <= set(deployment.depends_on)
    for rate in of_kind(recording, "ExchangeRate"):
        assert {crd.urn, deployment.urn} <= set(rate.depends_on)


def test_outputs_say_what_comes_next(stack: str, recording: Recording) -> None:
    """A person can look at the rates without knowing a name."""
    context = stack_file_values(stack)["exchange-rate-operator:kubeContext"]
    assert recording.outputs["showRates"] == f"kubectl --context {context} get exchangerates --all-namespaces"
    assert "default/exchange-rate-usd" in recording.outputs["exchangeRates"]
    assert recording.outputs["serviceAccount"] == "exchange-rate-operator/exchange-rate-operator"
    assert recording.outputs["image"] == container(recording)["image"]


def test_dev_builds_and_loads() -> None:
    """A developer's image goes to the local engine, and a rebuilt one rolls the Pod."""
    (image,) = of_kind(recorded("dev"), "Image")
    assert (image.inputs["push"], image.inputs["load"], image.inputs["buildOnPreview"]) == (False, True, False)
    assert container(recorded("dev"))["image"] == "exchange-rate-operator:latest"
    (deployment,) = of_kind(recorded("dev"), "Deployment")
    annotations = deployment.inputs["spec"]["template"]["metadata"]["annotations"]
    assert annotations["operators.brennerm.github.io/image-digest"].startswith("sha256:")


def test_prod_pushes_and_deploys_by_digest() -> None:
    """What runs in production is named by its content, for both platforms, and outlives the stack."""
    (image,) = of_kind(recorded("prod"), "Image")
    assert (image.inputs["push"], image.inputs["load"], image.retain) == (True, False, True)
    assert image.inputs["platforms"] == ["linux/amd64", "linux/arm64"]
    assert "@sha256:" in container(recorded("prod"))["image"]


def test_an_update_waits_for_rates_and_rollout_in_prod() -> None:
    """`pulumi up` is done when the environment's rates are Ready."""
    for rate in of_kind(recorded("prod"), "ExchangeRate"):
        assert rate.inputs["metadata"]["annotations"] == {"pulumi.com/waitFor": "condition=Ready"}
    (deployment,) = of_kind(recorded("prod"), "Deployment")
    assert "annotations" not in deployment.inputs["metadata"]


def test_local_waits_for_nothing_and_builds_nothing() -> None:
    """The embedded control plane has no node: no Pod ever becomes ready there."""
    assert of_kind(recorded("local"), "Image") == []
    (deployment,) = of_kind(recorded("local"), "Deployment")
    assert deployment.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    for rate in of_kind(recorded("local"), "ExchangeRate"):
        assert "annotations" not in rate.inputs["metadata"]


def test_one_replica_and_never_two() -> None:
    """Two operators would fetch twice; a rollout ends the old one first."""
    (deployment,) = of_kind(recorded("prod"), "Deployment")
    assert (deployment.inputs["spec"]["replicas"], deployment.inputs["spec"]["strategy"]) == (1, {"type": "Recreate"})


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


def test_watched_namespaces_get_roles_and_the_cluster_gets_none(program: Program) -> None:
    """An operator for some namespaces has no rights elsewhere."""
    recording = program(watchNamespaces='["shop", "default"]')
    assert {role.inputs["metadata"]["namespace"] for role in of_kind(recording, "Role")} == {"shop", "default"}
    assert len(of_kind(recording, "RoleBinding")) == 2
    assert of_kind(recording, "ClusterRoleBinding") == []
    assert environment(recording)["EXCHANGERATES_WATCH_NAMESPACES"] == "shop,default"


def test_rights_name_what_they_grant(recording: Recording) -> None:
    """No wildcard, and no verb on a kind that the operator has no business with."""
    for role in of_kind(recording, "ClusterRole"):
        for rule in role.inputs["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
    rights = {
        (resource, verb)
        for role in of_kind(recording, "ClusterRole")
        if role.name.endswith("-rights")
        for rule in role.inputs["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert {resource for resource, _ in rights} == {"exchangerates", "exchangerates/status", "configmaps", "events"}
    assert ("exchangerates", "update") not in rights


def test_a_stack_without_the_crd_leaves_it_to_another(program: Program) -> None:
    """Stacks that share a cluster share one CRD, and the roles for people that come with it."""
    recording = program(manageCrd="false")
    assert of_kind(recording, "CustomResourceDefinition") == []
    assert [role.name for role in of_kind(recording, "ClusterRole")] == ["exchange-rate-operator-rights"]


def test_a_retained_crd_outlives_the_stack(program: Program) -> None:
    """Users' ExchangeRates survive a destroyed stack where that is wanted."""
    (crd,) = of_kind(program(retainCrd="true"), "CustomResourceDefinition")
    assert crd.retain


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
    everything_else = [resource.inputs for resource in first.resources if resource is not secret]
    assert "planted-key" not in json.dumps([everything_else, first.outputs])
    hashes = [
        of_kind(recording, "Deployment")[0].inputs["spec"]["template"]["metadata"]["annotations"]
        for recording in (first, second)
    ]
    assert hashes[0] != hashes[1]
    assert any("valueFrom" in entry for entry in container(first)["env"])
