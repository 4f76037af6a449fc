"""Behind a company's proxy and with its own certificate authority: rates arrive, and the cluster is never proxied."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cluster.audit import Audit
from tests.cluster.locked_down import Authority, ForwardProxy
from tests.cluster.operator_process import Operator, StartOperator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import Env
from exchangerates_infra.project import PROJECT
from exchangerates_infra.recorder import record, stack_file_values
from localcluster.operator_process import container_environment
from localcluster.rateserver import RateServer

HOST = "rates.internal.example"
"""Nobody but the proxy knows where it is."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The company's."""
    return Authority(tmp_path, "company")


@pytest.fixture
def private_rates(authority: Authority) -> Iterator[RateServer]:
    """A rate provider over TLS with the company's certificate."""
    server = RateServer()
    server.socket = authority.server_context(HOST, "127.0.0.1").wrap_socket(server.socket, server_side=True)
    with server:
        server.replay(dt.date(2026, 10, 30))
        yield server


@pytest.fixture(params=["", "me:p@ss"], ids=["open", "with a password"])
def credentials(request: pytest.FixtureRequest) -> str:
    """User and password of the company's proxy; empty where it asks for none."""
    found: str = request.param
    return found


@pytest.fixture
def proxy(private_rates: RateServer, credentials: str) -> Iterator[ForwardProxy]:
    """The company's proxy."""
    with ForwardProxy({f"{HOST}:443": ("127.0.0.1", private_rates.server_port)}, credentials) as made:
        yield made


@pytest.fixture
def pod_environment(authority: Authority, proxy: ForwardProxy, credentials: str) -> dict[str, str]:
    """What the Deployment of such a stack gives its Pod, with the ConfigMap's file where it is on this machine."""
    values = {
        "providers": ["frankfurter"],
        "providerUrls": {"frankfurter": f"https://{HOST}/frankfurter"},
        "proxy": {"https": proxy.url},
        "caBundle": authority.file.read_text(),
        "proxyCredentials": credentials.replace("@", "%40"),
    }
    encrypted = (f"{PROJECT}:proxyCredentials",)
    manifests = record("local", stack_file_values("local", values), secret_keys=encrypted).manifests()
    entries = {key: value for found in manifests for key, value in found.get("stringData", {}).items()}
    (deployment,) = [found for found in manifests if found["kind"] == "Deployment"]
    (bundle,) = [found for found in manifests if found["kind"] == "ConfigMap"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    environment = container_environment(container, lambda _, entry: entries[entry])
    (name,) = bundle["data"]
    authority.file.with_name(name).write_text(bundle["data"][name])
    return {**environment, Env.CA_FILE: str(authority.file.with_name(name))}


def test_rates_come_through_the_proxy_and_the_cluster_does_not(
    start_operator: StartOperator,
    namespace: Namespace,
    proxy: ForwardProxy,
    pod_environment: dict[str, str],
    audit: Callable[[], Audit],
) -> None:
    """Published with the company's certificate; the proxy was asked for the provider's host and for nothing else."""
    log = audit()
    operator = start_operator(**{**pod_environment, "NO_PROXY": ""})
    namespace.rate()
    namespace.wait()
    assert namespace.data()["rate"]
    assert set(proxy.asked) == {f"{HOST}:443"}
    assert log.requests()
    assert "p%40ss" not in operator.process.log.read_text()


@pytest.mark.parametrize(
    ("without", "told"),
    [
        pytest.param(Env.CA_FILE, "SSLError", id="without the authority"),
        pytest.param("HTTPS_PROXY", "ConnectionError", id="without the proxy"),
    ],
)
def test_without_either_the_log_says_why(
    start_operator: StartOperator, namespace: Namespace, pod_environment: dict[str, str], without: str, told: str
) -> None:
    """A certificate that nobody knows, or a host that nobody can reach: never a rate."""
    operator: Operator = start_operator(**{**pod_environment, without: ""})
    namespace.rate()
    namespace.wait(reason="ProviderUnavailable")
    eventually(lambda: told in operator.process.log.read_text(), f"the log says {told}")
    assert namespace.config_map() is None


@pytest.mark.parametrize("credentials", ["me:p@ss"], indirect=True)
def test_a_wrong_password_is_told_without_it(
    start_operator: StartOperator, namespace: Namespace, pod_environment: dict[str, str], proxy: ForwardProxy
) -> None:
    """The object and the log say that the connection failed, and no more."""
    address = pod_environment["HTTPS_PROXY"].replace("p%40ss", "planted-key")
    assert address != pod_environment["HTTPS_PROXY"]
    operator = start_operator(**{**pod_environment, "HTTPS_PROXY": address})
    namespace.rate()
    namespace.wait(reason="ProviderUnavailable")
    assert "the connection failed" in operator.process.log.read_text()
    assert "planted-key" not in operator.process.log.read_text() + str(namespace.get("exchange-rate-usd"))
    assert proxy.asked == []
