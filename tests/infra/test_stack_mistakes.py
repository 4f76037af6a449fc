"""Mistakes in a stack's config: each names its key and what to write, and all are told at once."""

import json

import pytest
from tests.infra.mistakes import CONTEXT, assert_told, mistakes

from exchangerates_infra.stack_config import StackConfig


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
        pytest.param("networkPolicy", '{"ports": 8080}', "a list of ports", id="a port that is no list"),
        pytest.param("rates", '{"currency": "USD"}', "write a list", id="rates that are no list"),
        pytest.param("crd", '{"manage": "no"}', "true or false", id="crd's boolean"),
        pytest.param(
            "crd", '{"retian": true}', "crd.retian: there is no such key; did you mean retain?", id="crd's key"
        ),
        pytest.param("crd", '{"manage": false, "protect": true}', "crd.protect", id="protects what is another's"),
        pytest.param("crd", '{"manage": false, "adopt": true}', "crd.adopt", id="takes up what is another's"),
        pytest.param("proxy", '{"https": "proxy:3128"}', "such as http://proxy", id="proxy without a scheme"),
        pytest.param(
            *("proxy", '{"https": "http://me:planted-key@proxy:1"}', "--secret proxyCredentials user:password"),
            id="proxy's password",
        ),
        pytest.param("proxy", '{"https": "me:planted-key@proxy"}', "the address alone", id="a password and no scheme"),
        pytest.param("proxy", '{"exceptions": [".example.com"]}', "proxy.https or proxy.http too", id="no proxy"),
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
        *(
            pytest.param("monitoring", json.dumps({"scrapeInterval": given}), "at most 5m", id=f"every {given}")
            for given in ("5m1s", "300001ms", "1h", "1d")
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
        *(
            pytest.param("providerUrls", given, told, id=f"a password in {given}".replace("planted-key", "password"))
            for given, told in (
                ('{"ecb": "https://me:planted-key@x"}', "without user and password"),
                ('{"ecb": "https://planted-key@x"}', "without user and password"),
                ('{"ecb": "https//me:planted-key@x"}', "without user and password"),
                ("https://me:planted-key@x", "a list or an object"),
                ('"https://me:planted-key@x"', "write an object"),
            )
        ),
        pytest.param("image", '{"repository": "r/op:1@sha256:0"}', "'r/op:1@sha256:0'", id="a digest, no password"),
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
    assert_told({key: value}, told, key)


@pytest.mark.parametrize(
    ("key", "given"),
    [
        pytest.param(key, {name: value}, id=f"{key}.{name}")
        for key, further in (
            ("networkPolicy", {"apiServerPorts": [443], "ports": [8080]}),
            (
                "monitoring",
                {"labels": {"a": "b"}, "dashboardLabels": {"a": "b"}, "runbookUrl": "x", "scrapeInterval": "1m"},
            ),
        )
        for name, value in further.items()
    ],
)
def test_a_switch_that_was_forgotten_is_told(key: str, given: dict[str, object]) -> None:
    """Nothing of it would be there; who writes false has switched it off."""
    (line,) = mistakes({key: json.dumps(given)})
    told = f"true, or false to switch it off: {next(iter(given))} alone has no effect"
    assert line == f"{key}.enabled: '(left out)': write {told}"
    for enabled in (True, False):
        StackConfig.parse(CONTEXT | {key: json.dumps({**given, "enabled": enabled})})


@pytest.mark.parametrize("place", ["x:99999", "x:abc", "x:0", "x:-1", ":80", "[x"])
def test_an_address_that_leads_nowhere_is_told(place: str) -> None:
    """The NetworkPolicy could not be made of it, and the operator could never reach it."""
    address = f"http://{place}"
    for key, path in (("providerUrls", "ecb"), ("proxy", "https"), ("proxy", "http")):
        (line,) = mistakes({key: json.dumps({path: address})})
        assert line.startswith(f"{key}.{path}: '{address}': write an address")
        for good in ("http://x", "https://x:65535", "http://[2001:db8::1]:3128"):
            StackConfig.parse(CONTEXT | {key: json.dumps({path: good})})


def test_a_provider_that_needs_a_key_asks_for_it() -> None:
    """The stack file says how to set it."""
    (line,) = mistakes({"providers": '["exchangeratesapi"]'})
    assert line.startswith("exchangeratesapiKey: '': write the key with `pulumi config set --secret")


@pytest.mark.parametrize(
    ("values", "key", "told"),
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
        pytest.param({"maxAge": "planted-key"}, "maxAge", "what an ExchangeRate may have as maxAge", id="a duration"),
        pytest.param({"caBundle": "planted-key"}, "caBundle", "(encrypted)", id="a bundle"),
        pytest.param({"rates": '[{"currency": "planted-key"}]'}, "rates[0].currency", "(encrypted)", id="a rate"),
        pytest.param({"minFetchIntervals": '{"ecb": "planted-key"}'}, "minFetchIntervals.ecb", "from 1s", id="a map"),
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
def test_what_is_encrypted_is_in_no_message(values: dict[str, str], key: str, told: str) -> None:
    """What to write is told all the same."""
    assert_told(values, told, f"{key}: ", {key.partition(".")[0].partition("[")[0]})


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
    StackConfig.parse(CONTEXT | given, frozenset(secrets))


def test_an_unknown_key_brings_the_nearest_known_one() -> None:
    """A typing mistake is told with what was meant."""
    (line,) = mistakes({"refreshIntervall": "1h"})
    assert line.startswith("refreshIntervall: there is no such key; did you mean refreshInterval?")


def test_all_mistakes_come_at_once() -> None:
    """Nobody corrects a stack file one preview at a time."""
    values = {
        "kubeContext": "",
        "baseCurrency": "eur",
        "maxAge": "7d",
        "rates": '[{"currency": "usd"}]',
        "unknown": "x",
    }
    assert {line.partition(":")[0] for line in mistakes(values)} == {
        *("kubeContext", "baseCurrency", "maxAge", "rates[0].currency", "unknown"),
    }
