"""The stack's config: what is refused, and that everything wrong is told at once."""

import json

import pytest
import yaml
from tests.infra.conftest import Program

from exchangerates_infra.config_reader import StackConfigError
from exchangerates_infra.project import PROJECT, ROOT
from exchangerates_infra.stack_config import KEYS, StackConfig

GOOD = {"kubeContext": "kind-kind"}


def test_a_context_is_enough() -> None:
    """Everything else has a default."""
    config = StackConfig.parse(GOOD)
    assert config.kube_context == "kind-kind"
    assert config.kubeconfig is None
    assert config.operator.namespace == "exchange-rate-operator"
    assert config.operator.rates == ()


def test_the_projects_defaults_are_the_codes_defaults() -> None:
    """What the CLI fills in from Pulumi.yaml is what the component does without it."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    filled = {
        key: entry["default"] if isinstance(entry["default"], str) else json.dumps(entry["default"])
        for key, entry in declared.items()
    }
    assert StackConfig.parse(filled | GOOD) == StackConfig.parse(GOOD)


def test_every_key_is_declared_with_a_type_and_a_description() -> None:
    """`Pulumi.yaml` and the code know the same keys, and every one has a default: the CLI demands the others."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert set(declared) == KEYS
    for key, entry in declared.items():
        assert entry["type"] in {"string", "boolean", "array", "object"}, key
        assert len(entry["description"]) > 10, key
        assert "default" in entry, key


def test_no_context_is_a_mistake_rather_than_the_current_cluster() -> None:
    """The preview stops instead of touching whatever cluster happens to be current."""
    with pytest.raises(StackConfigError, match="kubeContext"):
        StackConfig.parse({})


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        pytest.param("baseCurrency", "eur", "three capital letters", id="lower-case base"),
        pytest.param("refreshInterval", "7d", "such as 90s, 30m, 1h", id="days"),
        pytest.param("refreshInterval", "1s", "from 1m to 720h", id="too short"),
        pytest.param("maxAge", "soon", "such as 90s, 30m, 1h", id="no duration"),
        pytest.param("providers", '["fixer"]', "frankfurter, ecb, exchangeratesapi", id="unknown provider"),
        pytest.param("providers", '["ecb", "ecb"]', "each once", id="provider twice"),
        pytest.param("providers", "ecb", "JSON", id="a provider that is no list"),
        pytest.param("minFetchIntervals", '{"ecb": "1h", "ecb": "2h"}', "each key once", id="interval twice"),
        pytest.param("providers", "[]", "some of frankfurter", id="no provider"),
        pytest.param("logLevel", "verbose", "DEBUG, INFO", id="log level"),
        pytest.param("waitForRates", "yes", "true, false", id="boolean"),
        pytest.param("namespace", "My_Namespace", "lower-case letters", id="namespace"),
        *(
            pytest.param("namespace", shared, "a namespace for the operator alone", id=shared)
            for shared in ("default", "kube-system", "kube-public", "kube-node-lease")
        ),
        pytest.param("watchNamespaces", '["a", "a"]', "each once", id="namespace twice"),
        pytest.param("watchNamespaces", '["A b"]', "namespaces' names", id="no namespace's name"),
        pytest.param("image", '{"pullSecrets": "a"}', "names of Secrets", id="a pull secret that is no list"),
        pytest.param("networkPolicy", '{"ports": 8080}', "a list of ports", id="a port that is no list"),
        pytest.param("rates", '{"currency": "USD"}', "write a list", id="rates that are no list"),
        pytest.param("image", '{"name": "x"}', "write one of ref, repository, tag", id="unknown image key"),
        pytest.param(
            "image", '{"ref": "r/o:1", "repository": "r.io/o"}', "either ref", id="an image that is and is built"
        ),
        pytest.param("image", '{"ref": "r/o:1", "tag": "1"}', "image.tag: '1': write either ref", id="a tag for ref"),
        pytest.param("image", '{"platforms": ["linux/arm64"]}', "a repository too", id="platforms of a loaded image"),
        pytest.param("image", '{"provenance": true}', "a repository too", id="provenance of a loaded image"),
        pytest.param("image", '{"repository": "team/operator"}', "registry and repository", id="no registry"),
        pytest.param(
            "image", '{"repository": "r.example.com/operator:1"}', "without a tag", id="repository with a tag"
        ),
        pytest.param("image", '{"platforms": "linux/arm64"}', "a list of platforms", id="a platform that is no list"),
        *(
            pytest.param(
                *("image", json.dumps({"repository": "r.example.com/op", "platforms": [platform]})),
                f"image.platforms: '[\"{platform}\"]': write a list of platforms without a variant",
                id=platform,
            )
            for platform in ("linux/arm64/v8", "linux/foo", "linux")
        ),
        *(
            pytest.param("image", json.dumps({"repository": given}), f"'{given}': write Docker Hub's as", id=given)
            for given in ("index.docker.io/team/op", "docker.io/op")
        ),
        *(
            pytest.param(
                "image", json.dumps({"pullSecrets": given}), "names of Secrets", id=f"pull secrets {given}"[:50]
            )
            for given in ("registry", ["A b"], ["registry", "registry"], ["a" * 254], [{"name": "registry"}])
        ),
        pytest.param("image", '{"sbom": 1}', "true, false, or the reference", id="sbom"),
        pytest.param("image", '"operator:1"', "an object", id="an image that is no object"),
        pytest.param("crd", '{"manage": "no"}', "true or false", id="crd's boolean"),
        pytest.param(
            "crd", '{"retian": true}', "crd.retian: there is no such key; did you mean retain?", id="crd's key"
        ),
        pytest.param("crd", '{"manage": false, "protect": true}', "crd.protect", id="protects what is another's"),
        pytest.param("crd", '{"manage": false, "adopt": true}', "crd.adopt", id="takes up what is another's"),
        pytest.param("pod", '{"labels": {"team": 1}}', "pod.labels.team: '1': write a text", id="label"),
        pytest.param("pod", '{"labels": ["team"]}', "an object of labels", id="labels as a list"),
        pytest.param("pod", '{"nodeSelector": {"a b": "c"}}', "pod.nodeSelector: 'a b': write a key", id="label's key"),
        pytest.param("pod", '{"priorityClassName": "High!"}', "the name of a PriorityClass", id="priority class"),
        pytest.param("proxy", '{"https": "proxy:3128"}', "such as http://proxy", id="proxy without a scheme"),
        pytest.param(
            *("proxy", '{"https": "http://me:planted-key@proxy:1"}', "--secret proxyCredentials user:password"),
            id="proxy's password",
        ),
        pytest.param("proxy", '{"https": "me:planted-key@proxy"}', "the address alone", id="a password and no scheme"),
        pytest.param("proxyCredentials", "me:planted-key", "--secret", id="credentials in plain text"),
        pytest.param("proxy", '{"exceptions": "a,b"}', "a list of hosts", id="exceptions"),
        pytest.param("caBundle", "/etc/ca.crt", "PEM", id="bundle"),
        pytest.param("networkPolicy", '{"apiServerPorts": [0]}', "a list of ports", id="port"),
        pytest.param("networkPolicy", '{"ports": ["dns"]}', "a list of ports", id="ports"),
        *(
            pytest.param(
                "monitoring", json.dumps({"scrapeInterval": given}), "such as 30s", id=f"scraped every {given}"
            )
            for given in ("1", 30, "30s1m", "30s30s", "1m 30s", "1.5m")
        ),
        pytest.param("kubeconfig", "apiVersion: v1\nusers: [planted-key]", "--secret", id="kubeconfig in plain text"),
        *(
            pytest.param("kubeconfig", path, f"'{path}': write an absolute path, or ~/", id=path)
            for path in ("staging", "./staging", "~", "~me/staging")
        ),
        pytest.param("minFetchIntervals", '{"ecb": "often"}', "a duration", id="interval"),
        pytest.param("minFetchIntervals", '{"ecb": "0s"}', "a duration from 1s", id="no interval"),
        pytest.param("minFetchIntervals", '{"fixer": "8h"}', "frankfurter, ecb", id="interval of nobody"),
        pytest.param("providerUrls", '{"ecb": "ftp://x"}', "an address", id="address"),
        pytest.param("rates", '[{"currency": "usd"}]', "three capital letters", id="rate's currency"),
        pytest.param(
            "rates",
            '[{"curency": "USD"}]',
            "rates[0].curency: there is no such key; did you mean currency?",
            id="rate's key",
        ),
        pytest.param("rates", '["USD"]', "an object", id="a rate that is no object"),
        pytest.param("rates", '[{"currency": "USD"}, {"currency": "USD"}]', "another name", id="rate twice"),
        pytest.param(
            "rates", '[{"currency": "USD", "provider": "exchangeratesapi"}]', "this stack's", id="not enabled"
        ),
        pytest.param("maxCallsPerDay", '{"ecb": 0}', "a number of calls from 1 to 999999", id="no calls"),
        pytest.param("rates", '[{"currencies": ["USD", "GBP"]}]', "a name for the set", id="a set without a name"),
        pytest.param("openexchangeratesKey", "planted-key", "--secret", id="App ID in plain text"),
        pytest.param("exchangeratesapiKey", "planted-key", "--secret", id="key in plain text"),
        pytest.param("intervall", "1h", "no such key", id="unknown key"),
    ],
)
def test_a_mistake_names_its_key_and_what_to_write(key: str, value: str, told: str) -> None:
    """The text says which key, which value, and what to write."""
    with pytest.raises(StackConfigError) as caught:
        StackConfig.parse(GOOD | {key: value})
    assert f"{PROJECT}:{key}" in str(caught.value)
    assert told in str(caught.value)
    assert "planted-key" not in str(caught.value)


@pytest.mark.parametrize("place", ["x:99999", "x:abc", "x:0", "x:-1", ":80", "[x"])
def test_an_address_that_leads_nowhere_is_told(place: str) -> None:
    """The NetworkPolicy could not be made of it, and the operator could never reach it."""
    address = f"http://{place}"
    for key, path in (("providerUrls", "ecb"), ("proxy", "https"), ("proxy", "http")):
        with pytest.raises(StackConfigError) as caught:
            StackConfig.parse(GOOD | {key: json.dumps({path: address})})
        (line,) = str(caught.value).splitlines()[1:]
        assert line.startswith(f"  - {PROJECT}:{key}.{path}: '{address}': write an address")
        for good in ("http://x", "https://x:65535", "http://[2001:db8::1]:3128"):
            StackConfig.parse(GOOD | {key: json.dumps({path: good})})


@pytest.mark.parametrize("interval", ["0", "30s", "1h", "1d12h", "500ms", "1m500ms"])
def test_a_scrape_interval_is_what_the_prometheus_operator_takes(interval: str) -> None:
    """It has more units than the operator's own durations."""
    given = StackConfig.parse(GOOD | {"monitoring": json.dumps({"scrapeInterval": interval})})
    assert given.operator.monitoring.scrape_interval == interval


@pytest.mark.parametrize(
    "repository", ["docker.io/team/op", "r.example.com/op", "my.docker.io/op", "localhost:5000/op"]
)
def test_a_repository_is_taken_as_it_is(repository: str) -> None:
    """Only Docker Hub's own has other ways to be written."""
    assert StackConfig.parse(GOOD | {"image": json.dumps({"repository": repository})}).operator.image.repository == (
        repository
    )


@pytest.mark.parametrize(
    ("toleration", "path", "told"),
    [
        pytest.param({"kee": "x", "operator": "Exists"}, "kee", "did you mean key?", id="key of the toleration"),
        pytest.param({"key": "x", "operator": "Is"}, "operator", "one of Equal, Exists", id="operator"),
        pytest.param({"key": "x", "operator": "exists"}, "operator", "one of Equal, Exists", id="operator's case"),
        pytest.param({"key": "x", "effect": "NoRun"}, "effect", "one of NoSchedule, Prefer", id="effect"),
        pytest.param({"effect": "NoExecute"}, "key", "operator: Exists alone", id="no key"),
        pytest.param({"key": "a b", "operator": "Exists"}, "key", "a key of at most 63", id="key"),
        pytest.param({"key": "x", "value": "a b"}, "value", "a text (in quotes)", id="value"),
        pytest.param({"key": "x", "value": True}, "value", "a text (in quotes)", id="value as a boolean"),
        pytest.param({"key": "x", "operator": "Exists", "value": "y"}, "value", "no value", id="value of Exists"),
        pytest.param({"key": "x", "tolerationSeconds": 5}, "tolerationSeconds", "effect: NoExecute", id="seconds"),
        pytest.param(
            {"key": "x", "effect": "NoExecute", "tolerationSeconds": "5"}, "tolerationSeconds", "a whole", id="as text"
        ),
    ],
)
def test_a_bad_toleration_is_told(toleration: dict[str, object], path: str, told: str) -> None:
    """The API server would refuse the Deployment, after half of the stack was made."""
    good = [{"operator": "Exists"}, {"key": "a.io/b", "value": "c", "effect": "NoExecute", "tolerationSeconds": 0}]
    empty = {"operator": "Exists", "key": "", "value": None, "effect": ""}
    parsed = StackConfig.parse(GOOD | {"pod": json.dumps({"tolerations": [*good, empty]})})
    assert parsed.operator.pod.tolerations == (*good, {"operator": "Exists"})
    with pytest.raises(StackConfigError) as caught:
        StackConfig.parse(GOOD | {"pod": json.dumps({"tolerations": [*good, toleration]})})
    (line,) = str(caught.value).splitlines()[1:]
    assert line.startswith(f"  - {PROJECT}:pod.tolerations[2].{path}: ")
    assert told in line


def test_a_provider_that_needs_a_key_asks_for_it() -> None:
    """The stack file says how to set it."""
    with pytest.raises(StackConfigError, match="exchangeratesapiKey: '': write the key with `pulumi config set --sec"):
        StackConfig.parse(GOOD | {"providers": '["exchangeratesapi"]'})


@pytest.mark.parametrize(
    ("values", "secret", "told"),
    [
        pytest.param(
            {"proxy": '{"https": "http://planted-key:x@proxy:1"}'}, "proxy", "the addresses in plain text", id="proxy"
        ),
        pytest.param(
            {"proxyCredentials": "me:planted-key"}, "proxyCredentials", "proxy.https or proxy.http", id="alone"
        ),
        pytest.param(
            {"kubeconfig": "planted-key/config"},
            "kubeconfig",
            "an absolute path, or ~/",
            id="kubeconfig's relative path",
        ),
        *(
            pytest.param(
                {"proxyCredentials": wrong, "proxy": '{"https": "http://proxy:1"}'},
                *("proxyCredentials", "user:password as in an address, an @ as %40"),
                id=wrong.replace("planted-key", "password"),
            )
            for wrong in ("planted-key", "me:planted-key@proxy", "me:planted-key ", "http://me:planted-key")
        ),
    ],
)
def test_what_is_encrypted_is_in_no_message(values: dict[str, str], secret: str, told: str) -> None:
    """What to write is told all the same."""
    with pytest.raises(StackConfigError) as caught:
        StackConfig.parse(GOOD | values, {secret})
    assert f"{PROJECT}:{secret}: " in str(caught.value)
    assert told in str(caught.value)
    assert "planted-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "secrets"),
    [
        pytest.param({"image": {"ref": "r/o:1", "platforms": [], "tag": ""}}, (), id="a build's keys, empty"),
        pytest.param({"image": {"platforms": [], "provenance": False, "sbom": False}}, (), id="nothing of a push"),
        pytest.param({"crd": {"manage": False, "protect": False, "adopt": False}}, (), id="nothing of a CRD"),
        pytest.param({"kubeconfig": ""}, (), id="the usual kubeconfig"),
        pytest.param({"kubeconfig": "/home/me/config"}, (), id="an absolute path"),
        pytest.param({"kubeconfig": "~/config"}, (), id="a path at home"),
        *(
            pytest.param(
                {"proxy": {key: "http://proxy:1"}, "proxyCredentials": "me:x"}, ("proxyCredentials",), id=f"{key} alone"
            )
            for key in ("https", "http")
        ),
        pytest.param(
            {"providers": ["exchangeratesapi"], "exchangeratesapiKey": "x"}, ("exchangeratesapiKey",), id="a key"
        ),
        pytest.param({"rates": [{"currency": "USD", "target": {}}]}, (), id="an empty target"),
        pytest.param(
            {"watchNamespaces": ["shop"], "rates": [{"currency": "USD", "namespace": "shop"}]}, (), id="a watched rate"
        ),
    ],
)
def test_what_is_right_is_no_mistake(values: dict[str, object], secrets: tuple[str, ...]) -> None:
    """Also where it is the default, or the one half of what is refused together."""
    given = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    StackConfig.parse(GOOD | given, frozenset(secrets))


def test_a_key_of_a_build_beside_ref_is_told_once() -> None:
    """That it needs a repository too would lead astray."""
    with pytest.raises(StackConfigError) as caught:
        StackConfig.parse(GOOD | {"image": '{"ref": "r/o:1", "platforms": ["linux/arm64"], "sbom": true}'})
    told = [line.split(": ")[0] for line in str(caught.value).splitlines()[1:]]
    assert told == [f"  - {PROJECT}:image.platforms", f"  - {PROJECT}:image.sbom"]


def test_an_unknown_key_brings_the_nearest_known_one() -> None:
    """A typing mistake is told with what was meant."""
    with pytest.raises(
        StackConfigError, match="refreshIntervall: there is no such key; did you mean refreshInterval\\?"
    ):
        StackConfig.parse(GOOD | {"refreshIntervall": "1h"})


def test_all_mistakes_come_at_once() -> None:
    """Nobody corrects a stack file one preview at a time."""
    with pytest.raises(StackConfigError) as caught:
        StackConfig.parse({"baseCurrency": "eur", "maxAge": "7d", "rates": '[{"currency": "usd"}]', "unknown": "x"})
    for key in ("kubeContext", "baseCurrency", "maxAge", "rates[0].currency", "unknown"):
        assert f"{PROJECT}:{key}" in str(caught.value)


def test_a_rate_outside_the_watched_namespaces_would_never_be_served() -> None:
    """It is refused before the cluster is touched."""
    with pytest.raises(StackConfigError, match="one of watchNamespaces: shop"):
        StackConfig.parse(GOOD | {"watchNamespaces": '["shop"]', "rates": '[{"currency": "USD"}]'})


def test_the_program_stops_before_it_registers_anything(program: Program) -> None:
    """A bad config is the same clear error when the whole program runs."""
    with pytest.raises(StackConfigError, match="baseCurrency: 'eur'"):
        program(baseCurrency="eur")
