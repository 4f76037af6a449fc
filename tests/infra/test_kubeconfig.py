"""Which cluster a stack is for: its own context, and a kubeconfig that is a path or a secret."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.infra.conftest import Program

from exchangerates_infra.config_reader import StackConfigError
from exchangerates_infra.project import ROOT
from exchangerates_infra.recorder import record, stack_file_values


def test_ambient_clusters_are_out_of_reach(stack: str) -> None:
    """The stack file switches Pulumi's default Kubernetes provider off, for what someone may add later."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    assert config["pulumi:disable-default-providers"] == ["kubernetes"]


def test_the_providers_have_the_stacks_context(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The context is the stack's own word, and it identifies the cluster; nothing of this machine is in the state."""
    monkeypatch.setenv("KUBECONFIG", "/somebody/elses/config")
    recording = record(stack, stack_file_values(stack))
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    context = config["exchange-rate-operator:kubeContext"]
    providers = [resource for resource in recording.resources if resource.type == "pulumi:providers:kubernetes"]
    assert {provider.name for provider in providers} == {"cluster", "cluster-crd"}
    for provider in providers:
        assert (provider.inputs["context"], provider.inputs["clusterIdentifier"]) == (context, context)
        assert provider.inputs["kubeconfig"] == ""


def test_a_kubeconfig_that_is_no_path_stays_secret(program: Program) -> None:
    """Its content holds credentials: it is encrypted in the state."""
    content = "apiVersion: v1\nkind: Config\nusers: [planted]\n"
    recording = program(kubeconfig=content, secret=("kubeconfig",))
    for provider in [found for found in recording.resources if found.type == "pulumi:providers:kubernetes"]:
        assert (provider.inputs["kubeconfig"], provider.secrets) == (content, ("kubeconfig",))
    assert "planted" not in json.dumps(recording.outputs)


def test_a_kubeconfig_of_one_line_is_no_path_either(program: Program) -> None:
    """Its content is printed nowhere, and refused where it is not encrypted."""
    content = '{"apiVersion": "v1", "users": [{"token": "planted"}]}'
    recording = program(kubeconfig=content, secret=("kubeconfig",))
    assert "planted" not in json.dumps(recording.outputs)
    with pytest.raises(StackConfigError, match="its content") as caught:
        program(kubeconfig=content)
    assert "planted" not in str(caught.value)


def test_commands_lead_to_the_stacks_own_kubeconfig(program: Program) -> None:
    """A printed command works as it stands, wherever the kubeconfig is."""
    recording = program(kubeconfig="/home/me/clusters/dev")
    assert "--kubeconfig /home/me/clusters/dev get exchangerates" in recording.outputs["showRates"]
    assert "--kubeconfig /home/me/clusters/dev --namespace" in recording.outputs["showLogs"]


def test_a_kubeconfig_at_home_is_found_by_a_shell(program: Program, tmp_path: Path) -> None:
    """The home directory stays outside the quotes, and what follows inside them."""
    shown = program(kubeconfig="~/.kube/the staging").outputs["showRates"]
    words = shown.replace("kubectl", "printf '%s\\n'", 1)
    told = subprocess.run(
        ["/bin/sh", "-c", words], env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert told[told.index("--kubeconfig") + 1] == f"{tmp_path}/.kube/the staging"
