"""Without Pulumi: the command's files, applied to the real API server one after the other."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import as_pulumi
from tests.cluster.leftovers import assert_as_before, everything, settled_control_plane
from tests.cluster.test_stack import create_pod

from exchangerates_infra.manifests import PARTS
from exchangerates_infra.project import ROOT
from exchangerates_infra.recorder import record, stack_file_values
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane

IMAGE = "registry.example.com/team/operator@sha256:" + "1" * 64


@pytest.fixture(scope="module")
def admin(start_control_plane: Callable[[], ControlPlane]) -> Iterator[Client]:
    """The administrator of a control plane of its own."""
    with Client(start_control_plane().kubeconfig) as client:
        settled_control_plane(client)
        yield client


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does."""
    return subprocess.run(
        [sys.executable, "-m", "exchangerates_infra.manifests", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def written(directory: Path) -> list[dict[str, Any]]:
    """Read the files in the order in which they are applied."""
    return [body for part in PARTS for body in yaml.safe_load_all((directory / part).read_text())]


def test_the_files_make_a_whole_operator_and_nothing_a_second_time(admin: Client, tmp_path: Path) -> None:
    """Applied in order they are accepted, again they change nothing, and they go again without a rest."""
    before = everything(admin)
    assert command("prod", "--image", IMAGE, "--directory", str(tmp_path)).returncode == 0
    manifests = written(tmp_path)
    for manifest in manifests:
        as_pulumi.take_up(admin, manifest)
    assert [str(Reference.of(manifest)) for manifest in manifests if admin.apply(manifest)] == []
    (deployment,) = [manifest for manifest in manifests if manifest["kind"] == "Deployment"]
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "name": "as-deployed", "namespace": deployment["metadata"]["namespace"]}
    create_pod(admin, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
    as_pulumi.destroy(admin, reversed(manifests), propagation="Background")
    assert_as_before(admin, before, within_s=60.0)


def test_they_are_what_the_program_registers(tmp_path: Path) -> None:
    """The same objects as `pulumi up` makes, with nothing in them that only Pulumi reads; the same bytes each time."""
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        assert command("prod", "--image", IMAGE, "--directory", str(directory)).returncode == 0
    assert [(first / part).read_bytes() for part in PARTS] == [(second / part).read_bytes() for part in PARTS]
    assert "pulumi" not in "".join((first / part).read_text() for part in PARTS).lower()
    program = record("prod", stack_file_values("prod", {"image": {"ref": IMAGE}}))
    expected = {Reference.of(manifest): manifest["metadata"].get("labels") for manifest in program.manifests()}
    found = {Reference.of(manifest): manifest["metadata"].get("labels") for manifest in written(first)}
    assert found == expected
    specs = {Reference.of(manifest): manifest.get("spec") for manifest in program.manifests()}
    assert {Reference.of(manifest): manifest.get("spec") for manifest in written(first)} == specs
    assert [body["kind"] for body in yaml.safe_load_all((first / "crd.yaml").read_text())] == [
        "CustomResourceDefinition"
    ]
    assert {body["kind"] for body in yaml.safe_load_all((first / "rates.yaml").read_text())} == {"ExchangeRate"}


def test_one_stream_has_the_same_in_the_same_order(tmp_path: Path) -> None:
    """Without a directory everything goes to the standard output."""
    command("prod", "--image", IMAGE, "--directory", str(tmp_path))
    streamed = command("prod", "--image", IMAGE)
    assert list(yaml.safe_load_all(streamed.stdout)) == written(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param(("prod",), 1, "--image REFERENCE", id="an image that is not built"),
        pytest.param(("staging",), 2, "name one of dev, local, prod", id="no such stack"),
        pytest.param((), 2, "stack", id="no stack"),
    ],
)
def test_a_mistake_is_told(arguments: tuple[str, ...], code: int, told: str) -> None:
    """An exit code, nothing on the standard output, and what to write."""
    ended = command(*arguments)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert told in ended.stderr
