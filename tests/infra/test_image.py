"""What goes into the image, as far as it shows without building it."""

import json
import os
import re
import shutil
import subprocess
import tomllib

import pulumi
import pytest
from tests.infra.conftest import Program, container, of_kind, recorded, template

from exchangerates_infra.project import ROOT
from exchangerates_infra.recorder import record, stack_file_values

EXPORT = "uv export --quiet --no-default-groups --no-emit-project --no-annotate --no-header"


def test_the_images_requirements_are_in_step() -> None:
    """`operator/requirements.txt` is what uv exports today for the operator's own dependencies."""
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv, "uv is not on PATH; run the tests with `uv run pytest`"
    export = subprocess.run([uv, *EXPORT.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kept = (ROOT / "operator" / "requirements.txt").read_text()
    assert kept == f"# The image's dependencies with their hashes. Made by: {EXPORT}\n{export}"


def test_the_image_has_the_operators_dependencies_and_no_others() -> None:
    """Every direct dependency is there by its exact version; nothing of infra or of the tests is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = (ROOT / "operator" / "requirements.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in lines if "==" in line}
    assert {line.split(" ")[0] for line in lines} >= set(project["project"]["dependencies"])
    assert not names & {"pulumi", "pulumi-kubernetes", "pytest", "rich", "kubernetes", "cryptography"}
    assert all("--index" not in line and "://" not in line for line in lines)


def test_only_what_is_named_reaches_the_builder() -> None:
    """The ignore file is an allow list: it refuses everything first."""
    lines = (ROOT / "operator" / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules == ["*", "!requirements.txt", "!exchangerates", "**/__pycache__"]


def test_dev_builds_and_loads() -> None:
    """A developer's image goes to the local engine, and a rebuilt one rolls the Pod; a preview builds nothing."""
    (image,) = of_kind(recorded("dev"), "Image")
    assert (image.inputs["push"], image.inputs["load"], image.inputs["buildOnPreview"]) == (False, True, False)
    assert (image.retain, "cacheTo" in image.inputs) == (False, False)
    assert container(recorded("dev"))["image"] == "exchange-rate-operator:latest"
    annotations = template(recorded("dev"))["metadata"]["annotations"]
    assert annotations["operators.brennerm.github.io/image-digest"].startswith("sha256:")


def test_prod_pushes_and_deploys_by_digest() -> None:
    """What runs in production is named by its content, for both platforms, and outlives the stack."""
    (image,) = of_kind(recorded("prod"), "Image")
    assert (image.inputs["push"], image.inputs["load"], image.inputs["buildOnPreview"]) == (True, False, False)
    assert image.retain
    assert image.inputs["platforms"] == ["linux/amd64", "linux/arm64"]
    assert "@sha256:" in container(recorded("prod"))["image"]


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_preview_knows_no_digest_of_what_is_not_built_yet(stack: str) -> None:
    """Where an image changes, the provider's preview says that it has no digest: no Deployment is shown without one."""
    previewed = record(stack, stack_file_values(stack), preview=True)
    annotations = template(previewed)["metadata"]["annotations"]
    assert pulumi.contains_unknowns(annotations["operators.brennerm.github.io/image-digest"])
    for image in (container(previewed)["image"], previewed.outputs["image"]):
        assert pulumi.contains_unknowns(image) if stack == "prod" else image == "exchange-rate-operator:latest"


def test_prod_keeps_a_cache_and_tells_what_is_in_the_image() -> None:
    """Layers are kept in the registry; BuildKit is told by its own arguments to record origin and contents."""
    (image,) = of_kind(recorded("prod"), "Image")
    repository = "registry.example.com/platform/exchange-rate-operator"
    assert image.inputs["cacheFrom"] == [{"registry": {"ref": f"{repository}:buildcache"}}]
    (to,) = image.inputs["cacheTo"]
    assert (to["registry"]["ref"], to["registry"]["mode"]) == (f"{repository}:buildcache", "max")
    assert image.inputs["buildArgs"] == {
        "BUILDKIT_ATTEST_PROVENANCE": "mode=max",
        "BUILDKIT_ATTEST_SBOM": "generator=docker/buildkit-syft-scanner:stable-1",
    }


def test_the_stack_chooses_base_builder_and_generator(program: Program) -> None:
    """A company's own base image, BuildKit and SBOM generator."""
    values = {"repository": "r.example.com/op", "baseImage": "r.example.com/python:3.13", "builder": "remote"}
    (image,) = of_kind(program(image=json.dumps({**values, "sbom": "r.example.com/syft:1"})), "Image")
    assert image.inputs["builder"] == {"name": "remote"}
    assert image.inputs["buildArgs"] == {
        "BASE_IMAGE": "r.example.com/python:3.13",
        "BUILDKIT_ATTEST_SBOM": "generator=r.example.com/syft:1",
    }


def test_an_existing_image_is_used_as_it_is(program: Program) -> None:
    """Nothing is built where the stack names an image."""
    recording = program(image='{"ref": "r.example.com/op@sha256:1"}')
    assert of_kind(recording, "Image") == []
    assert container(recording)["image"] == recording.outputs["image"] == "r.example.com/op@sha256:1"


def test_the_dockerfile_and_the_deployment_agree() -> None:
    """The Pod's numeric user is the image's, and has a name there; the port is the one that is served."""
    dockerfile = (ROOT / "operator" / "Dockerfile").read_text()
    (user,) = re.findall(r"^USER (\d+):(\d+)$", dockerfile, re.MULTILINE)
    context = template(recorded("prod"))["spec"]["securityContext"]
    assert user == (str(context["runAsUser"]), str(context["runAsGroup"]))
    assert f"operator:x:{user[0]}:{user[1]}:" in dockerfile
    (port,) = container(recorded("prod"))["ports"]
    assert f"EXPOSE {port['containerPort']}" in dockerfile
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"ARG VERSION={project['version']}\n" in dockerfile
