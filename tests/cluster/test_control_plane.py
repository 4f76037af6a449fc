"""The control plane itself: what survives a crash, whose token a kubeconfig holds, and the client that talks to it."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.waiting import eventually

from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.errors import ApiError

MINE = Reference("v1", "ConfigMap", "default", "mine")


def config_map(**data: str) -> dict[str, Any]:
    """Give the manifest of `MINE`."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": "default"}, "data": data}


@pytest.fixture(scope="module")
def own(start_control_plane: Callable[[], ControlPlane]) -> ControlPlane:
    """A control plane that the tests may break."""
    return start_control_plane()


@pytest.fixture
def mine(control_plane: ControlPlane) -> Iterator[Client]:
    """A client of the session's control plane, with `MINE` removed afterwards."""
    with Client(control_plane.kubeconfig) as client:
        yield client
        client.delete(MINE)


def pids(control_plane: ControlPlane) -> dict[str, int]:
    """Give the process id of each component that is well."""
    return {name: pid for name, pid, well in control_plane.healthy() if well and pid is not None}


def test_a_killed_etcd_is_started_again_on_the_same_data(own: ControlPlane) -> None:
    """The same address, the same objects; and a start with nothing to do keeps every process."""
    server, before = own.server, pids(own)
    assert set(before) == {"etcd", "kube-apiserver", "kube-controller-manager"}
    assert not own.start(print)
    assert pids(own) == before
    with Client(own.kubeconfig) as client:
        client.apply(config_map(kept="yes"))
    os.kill(before["etcd"], signal.SIGKILL)
    eventually(lambda: "etcd" not in pids(own), "the killed etcd is seen")
    assert own.start(print)
    assert own.server == server
    with Client(own.kubeconfig) as client:
        assert (client.get(MINE) or {})["data"] == {"kept": "yes"}


def test_a_port_that_is_lost_between_choice_and_use_is_replaced(
    own: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked free, the component could not listen on it: all get others, and the kubeconfig says so."""
    own.stop()
    port = int(own.server.rpartition(":")[2])
    monkeypatch.setattr("localcluster.control_plane.is_free", lambda _: True)
    with socket.create_server(("127.0.0.1", port)):
        assert own.start(print)
        assert not own.server.endswith(f":{port}")
        with Client(own.kubeconfig) as client:
            assert client.server == own.server
            assert client.get(Reference("v1", "Namespace", "", "default"))


def test_the_users_settings_of_another_etcd_are_not_taken_up(
    own: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It ends where a variable and a flag say the same thing twice."""
    own.stop()
    monkeypatch.setenv("ETCD_NAME", "mine")
    monkeypatch.setenv("ETCD_DATA_DIR", str(tmp_path / "mine"))
    assert own.start(print)
    assert set(pids(own)) == {"etcd", "kube-apiserver", "kube-controller-manager"}
    assert not (tmp_path / "mine").exists()


def test_a_service_accounts_kubeconfig_is_that_account(control_plane: ControlPlane, tmp_path: Path) -> None:
    """The API server names the account; rights it has none, and the token is in a file for its owner only."""
    path = control_plane.service_account_kubeconfig("default", "default", tmp_path / "account")
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    with Client(path) as client:
        answer = client.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        assert answer["status"]["userInfo"]["username"] == "system:serviceaccount:default:default"
        with pytest.raises(ApiError, match="403 Forbidden"):
            client.get(MINE)
    assert [file.stat().st_mode & 0o777 for file in tmp_path.iterdir()] == [0o600, 0o600]


def test_apply_tells_whether_it_changed_anything(mine: Client) -> None:
    """New, the same again, changed; then gone, and a second deletion is no error."""
    assert mine.apply(config_map(a="1"))
    assert not mine.apply(config_map(a="1"))
    assert mine.apply(config_map(a="2"))
    assert (mine.get(MINE) or {})["data"] == {"a": "2"}
    mine.delete(MINE)
    mine.delete(MINE)
    assert mine.get(MINE) is None


def test_a_refusal_carries_the_api_servers_own_words(mine: Client) -> None:
    """Status, reason and message can be told to a person."""
    mine.create(config_map())
    with pytest.raises(ApiError) as caught:
        mine.create(config_map())
    assert (caught.value.status, caught.value.reason) == (409, "AlreadyExists")
    assert caught.value.message == 'configmaps "mine" already exists'


def test_a_proxy_of_the_users_is_not_asked(control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would have no way to this machine's loopback."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Client(control_plane.kubeconfig) as client:
        assert client.get(Reference("v1", "Namespace", "", "default"))
    assert len(pids(control_plane)) == 3
