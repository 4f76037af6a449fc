"""The operator's Deployment, its Service and its NetworkPolicy."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.infra.conftest import Program, container, environment, of_kind, recorded, template

from exchangerates.errors import SettingsError
from exchangerates.settings import Settings
from exchangerates_infra.recorder import Recording
from localcluster.operator_process import container_environment

HASHES = "operators.brennerm.github.io"
BUNDLE = "-----BEGIN CERTIFICATE-----\nplanted\n-----END CERTIFICATE-----\n"


def test_one_replica_and_never_two(recording: Recording) -> None:
    """Two operators would fetch twice; a rollout ends the old one first."""
    (deployment,) = of_kind(recording, "Deployment")
    assert (deployment.inputs["spec"]["replicas"], deployment.inputs["spec"]["strategy"]) == (1, {"type": "Recreate"})


def test_the_pod_asks_for_no_more_than_it_needs(recording: Recording) -> None:
    """No root, no capabilities, no writable root file system, the runtime's seccomp profile, a memory limit."""
    pod, operator = template(recording)["spec"], container(recording)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["runAsGroup"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert operator["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert operator["resources"] == {"limits": {"memory": "384Mi"}, "requests": {"cpu": "50m", "memory": "96Mi"}}
    assert {name for name in operator if name.endswith("Probe")} == {"livenessProbe", "readinessProbe", "startupProbe"}
    assert operator["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_metrics_have_a_service(recording: Recording) -> None:
    """Prometheus finds the port by its name; no update waits for the Service's endpoints."""
    (service,) = of_kind(recording, "Service")
    (port,) = service.inputs["spec"]["ports"]
    assert (port["name"], port["targetPort"], port["port"]) == ("http", "http", 8080)
    assert service.inputs["spec"]["selector"].items() <= template(recording)["metadata"]["labels"].items()
    assert service.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}


def test_the_stack_says_where_the_pod_runs(program: Program) -> None:
    """Node selector, tolerations, priority class and labels; the selector, which cannot be changed, is without them."""
    toleration = {"key": "dedicated", "operator": "Equal", "value": "infra", "effect": "NoSchedule"}
    pod = {"labels": {"team": "a"}, "nodeSelector": {"disk": "ssd"}, "tolerations": [toleration]}
    recording = program(pod=json.dumps({**pod, "priorityClassName": "important"}))
    spec = template(recording)["spec"]
    assert (spec["nodeSelector"], spec["tolerations"]) == ({"disk": "ssd"}, [toleration])
    assert spec["priorityClassName"] == "important"
    (deployment,) = of_kind(recording, "Deployment")
    own = {"app.kubernetes.io/name": "exchange-rate-operator"}
    assert template(recording)["metadata"]["labels"] == deployment.inputs["metadata"]["labels"] == {**own, "team": "a"}
    assert deployment.inputs["spec"]["selector"] == {"matchLabels": own}


def test_the_stack_may_ask_for_other_resources(program: Program) -> None:
    """What it leaves out keeps its default; a ResourceQuota may ask for a limit of CPU."""
    given = {"requests": {"cpu": 1}, "limits": {"cpu": "1.5", "memory": "1Gi"}}
    assert container(program(pod=json.dumps({"resources": given})))["resources"] == {
        "requests": {"cpu": "1", "memory": "96Mi"},
        "limits": {"cpu": "1.5", "memory": "1Gi"},
    }
    empty: tuple[object, ...] = ({}, None, {"limits": {}}, {"requests": None})
    for nothing in empty:
        unchanged = container(program(pod=json.dumps({"resources": nothing})))
        assert unchanged["resources"] == container(program())["resources"]


@pytest.mark.parametrize("image", [{}, {"ref": "r.example.com/op:1"}], ids=["one that is built", "one that is there"])
def test_the_stack_names_the_secrets_to_pull_with(program: Program, image: dict[str, Any]) -> None:
    """They are in the Pod, whose node reads them; without any there is no such field."""
    assert "imagePullSecrets" not in template(program(image=json.dumps(image)))["spec"]
    recording = program(image=json.dumps({**image, "pullSecrets": ["registry", "other.registry"]}))
    assert template(recording)["spec"]["imagePullSecrets"] == [{"name": "registry"}, {"name": "other.registry"}]


def empty_values(value: object, path: str = "") -> list[str]:
    """Name the fields of a tree that are empty."""
    if value in ("", None, [], {}):
        return [path]
    children: list[tuple[str, object]] = []
    if isinstance(value, dict):
        children = [(f"{path}.{key}", child) for key, child in value.items()]
    elif isinstance(value, list):  # not its texts: the name of an API group may be empty
        children = [(f"{path}[{index}]", child) for index, child in enumerate(value) if not isinstance(child, str)]
    return [found for name, child in children for found in empty_values(child, name)]


def test_nothing_empty_is_registered(recording: Recording) -> None:
    """The API server drops what is empty, and every preview would show it anew."""
    for manifest in recording.manifests():
        allowed = {".spec.versions[0].subresources.status"} if manifest["kind"] == "CustomResourceDefinition" else set()
        assert set(empty_values(manifest)) == allowed, manifest["kind"]


def test_a_changed_secret_or_authority_rolls_the_pod(program: Program) -> None:
    """The Pod reads them at its start only: their hashes are in its template."""
    proxy = {"proxy": '{"https": "http://proxy:3128"}', "providers": '["exchangeratesapi"]'}
    secret = ("exchangeratesapiKey", "proxyCredentials")
    hashes = {
        template(program(exchangeratesapiKey=key, proxyCredentials=credentials, secret=secret, **proxy))["metadata"][
            "annotations"
        ][f"{HASHES}/secret-scrypt"]
        for key, credentials in (("planted-1", "me:1"), ("planted-2", "me:1"), ("planted-1", "me:2"))
    }
    assert len(hashes) == 3
    three, four = (template(program(caBundle=BUNDLE + more)) for more in ("", "\n"))
    name = f"{HASHES}/ca-bundle-sha256"
    assert three["metadata"]["annotations"][name] != four["metadata"]["annotations"][name]


def test_the_proxies_and_authorities_reach_the_operator(program: Program) -> None:
    """The variables that every HTTP client knows, the cluster's own hosts left out, and a file for the authorities."""
    proxy = {"https": "http://proxy:3128", "http": "http://proxy:3129", "exceptions": [".example.com"]}
    recording = program(proxy=json.dumps(proxy), caBundle=BUNDLE)
    found = environment(recording)
    assert (found["HTTPS_PROXY"], found["HTTP_PROXY"]) == ("http://proxy:3128", "http://proxy:3129")
    assert found["NO_PROXY"] == "localhost,127.0.0.1,.svc,.cluster.local,.example.com"
    (bundle,) = [found for found in of_kind(recording, "ConfigMap") if found.name.endswith("-ca")]
    (mount,) = container(recording)["volumeMounts"]
    (volume,) = template(recording)["spec"]["volumes"]
    assert volume["configMap"]["name"] == bundle.inputs["metadata"]["name"]
    assert volume["name"] == mount["name"]
    (file,) = bundle.inputs["data"]
    assert found["EXCHANGERATES_CA_FILE"] == f"{mount['mountPath']}/{file}"
    assert bundle.inputs["data"][file] == BUNDLE


def test_the_proxies_credentials_are_in_the_secret_and_nowhere_else(program: Program) -> None:
    """The addresses refer to them; a variable may refer only to what stands before it in the container."""
    proxy = {"https": "http://proxy:3128", "http": "http://proxy:3129/"}
    recording = program(proxy=json.dumps(proxy), proxyCredentials="me:planted", secret=("proxyCredentials",))
    (secret,) = of_kind(recording, "Secret")
    assert (secret.inputs["stringData"], secret.secrets) == ({"proxy-credentials": "me:planted"}, ("stringData",))
    others = [resource.inputs for resource in recording.resources if resource is not secret]
    assert "planted" not in json.dumps([others, recording.outputs])
    found = container_environment(container(recording), lambda name, entry: f"{name}/{entry}")
    credentials = f"{secret.inputs['metadata']['name']}/proxy-credentials"
    assert found["HTTPS_PROXY"] == f"http://{credentials}@proxy:3128"
    assert found["HTTP_PROXY"] == f"http://{credentials}@proxy:3129/"


def test_no_proxy_leaves_no_variable() -> None:
    """Nothing about a proxy where there is none."""
    assert [name for name in environment(recorded("prod")) if "PROXY" in name and "NO" in name] == []
    assert "volumes" not in template(recorded("prod"))["spec"]


@pytest.mark.parametrize(
    ("values", "upstream"),
    [
        pytest.param({}, {443}, id="public addresses"),
        pytest.param({"providers": ["ecb"], "providerUrls": {"ecb": "http://rates.shop.svc"}}, {80}, id="plain HTTP"),
        pytest.param({"providerUrls": {"frankfurter": "https://rates:8443"}}, {443, 8443}, id="one of its own"),
        pytest.param({"proxy": {"https": "http://proxy:3128"}}, {443, 3128}, id="a proxy"),
    ],
)
def test_the_network_policy_opens_what_is_needed(program: Program, values: dict[str, Any], upstream: set[int]) -> None:
    """Out: names, the API server, the providers' and the proxies' ports. In: health and metrics."""
    given = {key: json.dumps(value) for key, value in values.items()}
    recording = program(networkPolicy='{"enabled": true, "apiServerPorts": [6443]}', **given)
    (policy,) = of_kind(recording, "NetworkPolicy")
    spec = policy.inputs["spec"]
    assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"]
    assert spec["podSelector"]["matchLabels"].items() <= template(recording)["metadata"]["labels"].items()
    (into,) = spec["ingress"]
    assert into == {"ports": [{"port": 8080, "protocol": "TCP"}]}
    out = [{(port["port"], port["protocol"]) for port in rule["ports"]} for rule in spec["egress"]]
    assert out == [{(53, "UDP"), (53, "TCP")}, {(6443, "TCP")}, {(port, "TCP") for port in upstream}]


def test_the_network_policy_opens_what_the_stack_adds(program: Program) -> None:
    """A Service's target port and another port of the DNS: over TCP and UDP, beside everything else."""
    without, with_them = (
        of_kind(program(networkPolicy=json.dumps({"enabled": True, **more})), "NetworkPolicy")[0].inputs["spec"]
        for more in ({}, {"ports": [8080, 5353]})
    )
    (added,) = with_them["egress"][len(without["egress"]) :]
    assert with_them["egress"][: len(without["egress"])] == without["egress"]
    assert {(port["port"], port["protocol"]) for port in added["ports"]} == {
        (port, protocol) for port in (8080, 5353) for protocol in ("TCP", "UDP")
    }
    assert all(rule["ports"] for rule in without["egress"])


def test_the_operator_takes_its_bundle(program: Program, tmp_path: Path) -> None:
    """A file that holds no certificates is refused at the start, with what to write."""
    file = tmp_path / "ca.crt"
    file.write_text("no certificate")
    found = environment(program(caBundle=BUNDLE))
    with pytest.raises(SettingsError, match="EXCHANGERATES_CA_FILE"):
        Settings.from_environment({**found, "EXCHANGERATES_CA_FILE": str(file)})
