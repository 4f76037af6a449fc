"""Where there can be no node, it is said why, and what to install."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.node import cgroups, programs

from exchangerates_infra.project import ROOT
from localcluster.rateserver import RateServer


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which there can be a node."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "cgroup.subtree_control").write_text("cpuset cpu io memory pids\n")
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    monkeypatch.setattr("shutil.which", lambda program, path: f"{path}/{program}")


def test_a_machine_that_has_everything() -> None:
    """Nothing is said."""
    assert programs.what_is_missing() == ""
    assert programs.missing_packages() == []


def test_another_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubelet runs on Linux."""
    monkeypatch.setattr("sys.platform", "darwin")
    assert programs.what_is_missing() == "a node needs Linux, and this is darwin"


def test_a_user_without_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Namespaces, mounts and cgroups take root."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "a node needs root" in programs.what_is_missing()


def test_cgroups_without_their_controllers(tmp_path: Path) -> None:
    """In either version; it is said what to do."""
    (tmp_path / "cgroup.subtree_control").write_text("cpuset cpu\n")
    assert f"echo +memory +pids > {tmp_path}/cgroup.subtree_control" in programs.what_is_missing()
    (tmp_path / "cgroup.controllers").unlink()
    for controller in ("cpu", "pids"):
        (tmp_path / controller).mkdir()
    assert f"controllers: memory in {tmp_path}" in programs.what_is_missing()
    (tmp_path / "memory").mkdir()
    assert programs.what_is_missing() == ""


def test_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are named as the package manager takes them."""
    there = {"ip", "mount", "unshare", "debootstrap", "docker-registry"}
    monkeypatch.setattr("shutil.which", lambda program, path: f"{path}/{program}" if program in there else None)
    assert programs.missing_packages() == ["containernetworking-plugins", "runc"]
    told = "apt-get install --no-install-recommends containernetworking-plugins runc"
    assert programs.what_is_missing().endswith(told)


def test_the_command_that_ci_calls() -> None:
    """It prints packages, one a line, or why there can be no node; nothing else."""
    command = [sys.executable, "-m", "tests.node.programs"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert set(listed) <= set(programs.PACKAGES)
    why = subprocess.run([*command, "--why"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert why == "" or why.startswith("a node needs ")


def test_the_stand_in_keeps_to_loopback() -> None:
    """Other addresses only where it was told that the network is its own."""
    with pytest.raises(ValueError, match=r"198\.51\.100\.1 is not a loopback address"):
        RateServer(host="198.51.100.1")
