"""What goes into the image, as far as it shows without building it."""

import os
import shutil
import subprocess
import tomllib

from exchangerates_infra.project import ROOT

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
