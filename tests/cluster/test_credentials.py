"""Who the operator is to the API server: rotated tokens, client certificates, plain tokens and exec plugins."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from tests.cluster.audit import USER, Audit
from tests.cluster.operator_process import ACCOUNT, OPERATOR_NAMESPACE, Operator, StartOperator
from tests.cluster.proxy import Proxy
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane

REVOKED_WITHIN_S = 60.0
"""The API server itself takes a known token for good for ten seconds."""


@pytest.fixture
def kubeconfig(control_plane: ControlPlane, tmp_path: Path) -> Path:
    """A kubeconfig of the operator's account, with its token in a file beside it."""
    return control_plane.service_account_kubeconfig(OPERATOR_NAMESPACE, ACCOUNT, tmp_path / "of-account")


def with_user(kubeconfig: Path, user: dict[str, Any]) -> str:
    """Write the kubeconfig with another user's credentials; give its path."""
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"][0]["user"] = user
    path = kubeconfig.with_name("changed")
    path.write_text(yaml.safe_dump(config))
    return str(path)


def token_bound_to(client: Client, secret: str) -> str:
    """Give a token of the operator's account that is good as long as a Secret is there, or an hour."""
    made = client.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret, "namespace": OPERATOR_NAMESPACE}}
    )
    bound = {"kind": "Secret", "apiVersion": "v1", "name": secret, "uid": made["metadata"]["uid"]}
    path = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/serviceaccounts/{ACCOUNT}/token"
    request = {"spec": {"expirationSeconds": 3600, "boundObjectRef": bound}}
    answer = client.request("POST", path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", **request})
    return str(answer["status"]["token"])


def is_refused(control_plane: ControlPlane, token: str) -> bool:
    """Tell whether the API server does not know a token any more."""
    path = f"{control_plane.server}/api/v1/namespaces/default/configmaps?limit=1"
    headers = {"Authorization": f"Bearer {token}"}
    with requests.Session() as session:
        session.trust_env = False
        return session.get(path, headers=headers, verify=False, timeout=10.0).status_code == 401


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_rotated_token_is_taken_up_while_watches_stay_open(
    start_operator: StartOperator,
    stack: object,
    client: Client,
    control_plane: ControlPlane,
    kubeconfig: Path,
    namespace: Namespace,
    audit: Callable[[], Audit],
) -> None:
    """The old one is revoked: neither the operator's own calls nor a new watch are ever refused."""
    assert stack
    token_file = kubeconfig.with_name(f"{kubeconfig.name}.token")
    old = token_bound_to(client, "first")
    token_file.write_text(old)
    with Proxy(control_plane.server) as proxy:
        proxied = proxy.kubeconfig(kubeconfig, kubeconfig.with_name("proxied"))
        operator = start_operator(KUBECONFIG=str(proxied))
        namespace.rate("before")
        namespace.wait("before")
        eventually(lambda: proxy.opened >= 2, "both watches are open")
        log, opened = audit(), proxy.opened
        token_file.write_text(token_bound_to(client, "second"))
        client.delete(Reference("v1", "Secret", OPERATOR_NAMESPACE, "first"))
        eventually(lambda: is_refused(control_plane, old), "the old token is revoked", REVOKED_WITHIN_S)
        namespace.rate("after")
        namespace.wait("after")
        proxy.heal()  # ends the watches, so that they are made anew
        eventually(lambda: proxy.opened >= opened + 2, "the watches are made anew")
        namespace.rate("watched")
        namespace.wait("watched")
        client.delete(Reference("v1", "Secret", OPERATOR_NAMESPACE, "second"))
    assert "Unauthorized" not in operator.process.log.read_text()
    assert log.refused() == []
    assert operator.process.pid


def test_a_client_certificate_is_enough(
    start_operator: StartOperator, control_plane: ControlPlane, namespace: Namespace
) -> None:
    """As a developer's own cluster gives it: an administrator's certificate, embedded in the kubeconfig."""
    start_operator(KUBECONFIG=str(control_plane.kubeconfig))
    namespace.rate()
    namespace.wait()


def test_a_plain_token_is_enough(
    start_operator: StartOperator, kubeconfig: Path, namespace: Namespace, audit: Callable[[], Audit]
) -> None:
    """It is in the kubeconfig itself."""
    log = audit()
    token = kubeconfig.with_name(f"{kubeconfig.name}.token").read_text()
    start_operator(KUBECONFIG=with_user(kubeconfig, {"token": token}))
    namespace.rate()
    namespace.wait()
    assert log.writes(USER)


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Make exec plugins: programs in the kubeconfig's own directory, which note each run."""

    def make(answer: str) -> dict[str, Any]:
        script = tmp_path / "plugin"
        (tmp_path / "answer").write_text(answer)
        script.write_text(
            f'#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" "$1" "$EXTRA" >> {tmp_path}/runs\nexec cat {tmp_path}/answer\n'
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        version = "client.authentication.k8s.io/v1"
        environment = [{"name": "EXTRA", "value": "told"}]
        return {"apiVersion": version, "command": "./plugin", "args": ["get-token"], "env": environment}

    return make


def answer(**status: str) -> str:
    """Give an exec plugin's answer."""
    version = "client.authentication.k8s.io/v1"
    return json.dumps({"kind": "ExecCredential", "apiVersion": version, "status": status})


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_an_exec_plugin_gives_the_token_and_renews_it(
    start_operator: StartOperator,
    stack: object,
    control_plane: ControlPlane,
    kubeconfig: Path,
    plugin: Callable[[str], dict[str, Any]],
    namespace: Namespace,
    client: Client,
    tmp_path: Path,
) -> None:
    """Run with its arguments and environment when there is none, and again when the token has been refused."""
    assert stack
    first = token_bound_to(client, "of-plugin")
    user = {"exec": plugin(answer(token=first)), "interactiveMode": "Never"}
    start_operator(KUBECONFIG=with_user(kubeconfig, user))
    namespace.rate("before")
    namespace.wait("before")
    info, _, rest = (tmp_path / "runs").read_text().splitlines()[0].rpartition("} ")
    assert json.loads(f"{info}}}")["kind"] == "ExecCredential"
    assert rest == "get-token told"
    runs = len((tmp_path / "runs").read_text().splitlines())
    (tmp_path / "answer").write_text(answer(token=token_bound_to(client, "of-plugin-too")))
    client.delete(Reference("v1", "Secret", OPERATOR_NAMESPACE, "of-plugin"))
    try:
        eventually(lambda: is_refused(control_plane, first), "the old token is revoked", REVOKED_WITHIN_S)
        namespace.rate("after")
        namespace.wait("after", within_s=60.0)
        assert len((tmp_path / "runs").read_text().splitlines()) > runs
    finally:
        client.delete(Reference("v1", "Secret", OPERATOR_NAMESPACE, "of-plugin-too"))


def test_an_exec_plugin_that_fails_is_told(
    control_plane: ControlPlane, kubeconfig: Path, plugin: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    """By its name, and what to do; what it printed may be a secret and is not shown."""
    operator = Operator(tmp_path, control_plane.kubeconfig, {})
    code, log = operator.run_to_end(KUBECONFIG=with_user(kubeconfig, {"exec": plugin("planted-secret")}))
    assert code == 1
    assert "the credential plugin ./plugin did not print an ExecCredential" in log
    assert "planted-secret" not in log
    missing = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "installHint": "get it"}
    code, log = operator.run_to_end(KUBECONFIG=with_user(kubeconfig, {"exec": missing}))
    assert code == 1
    assert "the credential plugin no-such-plugin cannot run: No such file or directory; get it" in log
