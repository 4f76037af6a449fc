"""The component in another team's program: one import, its own provider, and a rename that replaces nothing."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.infra.conftest import of_kind, recorded

from exchangerates_infra import args
from exchangerates_infra.component import ExchangeRateOperator
from exchangerates_infra.project import ROOT
from exchangerates_infra.recorder import Recording, record_program

COMPONENT = "exchange-rate-operator:index:ExchangeRateOperator"


def readme_example() -> str:
    """Give the program that docs/how-to.md has for another team."""
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/how-to.md").read_text(), re.DOTALL)
    return str(example)


def run(program: str, tmp_path: Path) -> Recording:
    """Record a program that is not this project's own."""
    file = tmp_path / "program.py"
    file.write_text(program)
    return record_program(file, "dev", {})


def test_the_readmes_example_is_a_whole_program(tmp_path: Path) -> None:
    """It registers an operator on its own provider, and exports what the component tells."""
    recording = run(readme_example(), tmp_path)
    assert len(of_kind(recording, "Deployment")) == 1
    assert [rate.inputs["metadata"]["name"] for rate in of_kind(recording, "ExchangeRate")] == ["exchange-rate-usd"]
    assert all(found.provider for found in recording.resources if found.manifest() is not None)
    assert recording.outputs["showRates"].startswith("kubectl ")


def test_it_works_from_a_wheel(tmp_path: Path) -> None:
    """Installed elsewhere, without this repository beside it: the CRD, the alerts and the dashboard come along."""
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv, "uv is not on PATH; run the tests with `uv run pytest`"
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", str(tmp_path)], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    file = tmp_path / "program.py"
    file.write_text(
        readme_example()
        .replace("rates=(", "monitoring=MonitoringArgs(enabled=True), rates=(", 1)
        .replace("ImageArgs,", "ImageArgs, MonitoringArgs,", 1)
    )
    script = f"""
import exchangerates_infra.recorder as recorder, pathlib
assert recorder.__file__.startswith({str(installed)!r}), recorder.__file__
recording = recorder.record_program(pathlib.Path({str(file)!r}), "dev", {{}})
print(*sorted(found["kind"] for found in recording.manifests()))
"""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert {"CustomResourceDefinition", "PrometheusRule", "ConfigMap"} <= set(ended.stdout.split())


def test_the_defaults_are_a_whole_operator(tmp_path: Path) -> None:
    """Without any argument there is an operator for the whole cluster, with the stack's defaults."""
    program = """
import pulumi, pulumi_kubernetes as k8s
from exchangerates_infra.component import ExchangeRateOperator
ExchangeRateOperator("rates", opts=pulumi.ResourceOptions(providers=[k8s.Provider("c", context="c")]))
"""
    recording = run(program, tmp_path)
    ours = {manifest["kind"] for manifest in recorded("dev").manifests()} - {"ExchangeRate"}
    assert {manifest["kind"] for manifest in recording.manifests()} == ours
    (one,), (other,) = (of_kind(found, "Deployment") for found in (recording, recorded("prod")))
    environments = [found.inputs["spec"]["template"]["spec"]["containers"][0]["env"] for found in (one, other)]
    assert environments[0] == environments[1]


def test_every_child_is_the_components_own(recording: Recording) -> None:
    """Named after the component and parented to it: an alias for the component covers them all."""
    (component,) = [found for found in recording.resources if found.type == COMPONENT]
    children = [found for found in recording.resources if found.manifest() is not None or "docker-build" in found.type]
    assert children
    for child in children:
        assert child.parent == component.urn
        assert child.name.startswith(f"{component.name}-")


def test_a_rename_with_an_alias_replaces_nothing(tmp_path: Path) -> None:
    """Pulumi derives a child's former address from its parent's alias where its name begins with its parent's."""
    example = readme_example()
    renamed = example.replace('"rates"', '"fx"', 1).replace(
        "pulumi.ResourceOptions(", 'pulumi.ResourceOptions(aliases=[pulumi.Alias(name="rates")], ', 1
    )
    assert renamed != example
    before, after = run(example, tmp_path), run(renamed, tmp_path)
    (component,) = [found for found in after.resources if found.type == COMPONENT]
    assert component.aliases == ("rates",)
    children = {found.urn for found in before.resources if found.parent.endswith("::rates")}
    derived = {re.sub(r"::fx-", "::rates-", found.urn) for found in after.resources if found.parent == component.urn}
    assert children
    assert derived == children
    for found in before.resources:
        if found.urn in children:
            (same,) = [other for other in after.resources if other.urn.replace("::fx-", "::rates-") == found.urn]
            assert same.inputs == found.inputs


@pytest.mark.parametrize(
    "documented", [ExchangeRateOperator, *(kind for kind in vars(args).values() if dataclasses.is_dataclass(kind))]
)
def test_every_argument_and_output_is_documented(documented: Callable[..., object]) -> None:
    """What an editor shows: each attribute with a sentence."""
    fields = documented.__annotations__
    described = re.findall(r"^ {8}(\w+): \S", documented.__doc__ or "", re.MULTILINE)
    assert fields
    assert set(fields) <= set(described)


def test_the_component_tells_what_the_program_exports(recording: Recording) -> None:
    """Namespace, image, service account, rates, and the commands to look at them."""
    assert set(recording.outputs) == {
        *("namespace", "image", "serviceAccount", "exchangeRates", "showRates", "showLogs"),
    }
    (component,) = [found for found in recording.resources if found.type == COMPONENT]
    assert component.outputs == recording.outputs


def test_the_program_names_every_stack_file() -> None:
    """The CLI reads what is committed: each stack file has only keys of `Pulumi.yaml` and of Pulumi itself."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    for path in ROOT.glob("Pulumi.*.yaml"):
        keys = yaml.safe_load(path.read_text())["config"]
        ours = {key.removeprefix("exchange-rate-operator:") for key in keys if not key.startswith("pulumi:")}
        assert ours <= set(declared), path.name


def test_the_project_and_the_readme_ask_for_the_same_cli() -> None:
    """The CLI reads the range from `Pulumi.yaml`, and a person the version from the README."""
    required = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["requiredPulumiVersion"]
    (version,) = re.findall(r"pulumi\.com/docs/install/\)\s(\S+) or newer", (ROOT / "README.md").read_text())
    assert required == f">={version}.0"
