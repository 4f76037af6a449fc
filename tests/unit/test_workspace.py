"""A cluster's directory, and the words that name it to a person."""

import re
from pathlib import Path

import pytest
from tests.unit.localcluster_run import Localcluster

from localcluster.errors import LocalClusterError
from localcluster.workspace import CONTROL_PLANE, STATE, alone, command_line, purge, remembered_port


@pytest.mark.parametrize("arguments", [("up",), ("down", "--purge")], ids=["up", "down --purge"])
def test_a_directory_of_something_else_is_not_taken(
    localcluster: Localcluster, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """`--state ~` must not end in the loss of a home directory."""
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-a-friend.txt").touch()
    code, messages = localcluster("--state", str(tmp_path), *arguments)
    assert code == 1
    assert f"{tmp_path} holds other files" in messages
    assert {path.name for path in tmp_path.rglob("*")} == {"letters", "to-a-friend.txt"}


def test_a_cluster_s_own_directory_is_taken_and_purged(tmp_path: Path) -> None:
    """Empty, new, or with a cluster in it; afterwards nothing is left."""
    state = tmp_path / "state"
    with alone(state):
        (state / CONTROL_PLANE / "etcd").mkdir(parents=True)
        (state / "operator.log").touch()
    with alone(state):
        purge(state)
    assert not state.exists()


def test_a_purge_that_was_killed_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it has removed by then, the directory is still known as a cluster's."""
    state = tmp_path / "state"
    (state / CONTROL_PLANE).mkdir(parents=True)
    (state / "pulumi").mkdir()
    (state / "operator.log").touch()
    monkeypatch.setattr("localcluster.workspace.shutil.rmtree", lambda *_, **__: None)
    with alone(state), pytest.raises(LocalClusterError, match="cannot be removed"):
        purge(state)
    monkeypatch.undo()
    with alone(state):
        purge(state)
    assert not state.exists()


@pytest.mark.parametrize("arguments", [("down",), ("down", "--purge")], ids=["down", "down --purge"])
def test_down_without_a_cluster_leaves_no_traces(
    localcluster: Localcluster, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """There is nothing to stop, and that is well."""
    state = tmp_path / "state"
    code, messages = localcluster("--state", str(state), *arguments)
    assert (code, f"there is no cluster in {state}" in messages) == (0, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("variable", ["--state", "XDG_CACHE_HOME"])
def test_a_directory_that_cannot_be_made_is_told_in_one_line(
    localcluster: Localcluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """The path and the cause, without a traceback."""
    taken = tmp_path / "taken"
    taken.touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(taken))
    code, messages = localcluster("--state", str(taken if variable == "--state" else tmp_path / "state"), "up")
    assert code == 1
    assert re.fullmatch(rf"localcluster: .*{taken}.*\n", messages)


def test_the_next_steps_name_the_cluster_s_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed can be typed as it is; the clone's own directory needs no word."""
    monkeypatch.delenv("UV", raising=False)
    assert command_line(STATE) == "uv run localcluster"
    assert command_line(tmp_path / "a b") == f"uv run localcluster --state '{tmp_path}/a b'"


def test_a_port_is_remembered(tmp_path: Path) -> None:
    """The same one again; another one where the file was cut short."""
    file = tmp_path / "port"
    port = remembered_port(file)
    assert remembered_port(file) == port
    file.write_text("")
    assert remembered_port(file) > 0
