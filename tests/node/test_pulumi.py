"""The stack on a real node by the real Pulumi CLI, which waits for what it made."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.pulumi_stack import TestedStack
from tests.cluster.test_stack import NEEDS_PULUMI, up_and_down
from tests.node.images import Images, only_one
from tests.node.node import Node, condition, eventually

from exchangerates.api import API_VERSION, KIND
from exchangerates_infra.project import OPERATOR
from localcluster.client import Client, Reference
from localcluster.pulumi_cli import find_pulumi

OWN, SERVED = "by-pulumi", "served-by-pulumi"
ROOT_CA = "kube-root-ca.crt"


@pytest.fixture
def machine(inside: Node, tmp_path: Path) -> Iterator[Client]:
    """The node from the machine's network, where the CLI finds what it needs; with the namespace to serve."""
    with inside.outside(tmp_path / "kubeconfig") as client:
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SERVED}})
        # What every namespace gets is there before the stack is.
        given = (Reference("v1", "ServiceAccount", SERVED, "default"), Reference("v1", "ConfigMap", SERVED, ROOT_CA))
        eventually(lambda: all(client.get(reference) for reference in given), "the namespace is complete")
        yield client
        client.delete(Reference("v1", "Namespace", "", SERVED))


@NEEDS_PULUMI
@pytest.mark.usefixtures("stack_away")
def test_pulumi_brings_the_stack_up_and_takes_it_down(
    machine: Client, stack_values: dict[str, Any], tmp_path: Path
) -> None:
    """`up` ends with a Pod that runs the image and a rate that is published."""
    overrides = {
        **stack_values,
        "kubeconfig": str(tmp_path / "kubeconfig"),
        "namespace": OWN,
        "watchNamespaces": [SERVED],
        "crd": {"manage": False},
        "rates": [{"currency": "USD", "namespace": SERVED}],
    }

    def look() -> None:
        deployment = machine.get(Reference("apps/v1", "Deployment", OWN, OPERATOR)) or {}
        rate = machine.get(Reference(API_VERSION, KIND, SERVED, "exchange-rate-usd")) or {}
        (pod,) = machine.items("v1", "Pod", OWN)
        assert condition(deployment, "Available")["status"] == condition(rate, "Ready")["status"] == "True"
        assert pod["status"]["containerStatuses"][0]["imageID"] == stack_values["image"]["ref"]
        assert machine.get(Reference("v1", "ConfigMap", SERVED, "exchange-rate-usd"))

    up_and_down(machine, tmp_path, overrides, look)


@pytest.fixture
def built(images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A stack's keys for an image that is built here, as after `docker buildx create --driver remote`."""
    settings = tmp_path / "docker"
    instances = settings / "buildx" / "instances"
    instances.mkdir(parents=True)
    node = {"Name": "here0", "Endpoint": images.buildkit}
    (instances / "here").write_text(json.dumps({"Name": "here", "Driver": "remote", "Nodes": [node]}))
    monkeypatch.setenv("DOCKER_CONFIG", str(settings))
    with only_one():
        yield {"builder": "here", "repository": f"127.0.0.1:{images.port}/by-pulumi"}


@NEEDS_PULUMI
@pytest.mark.usefixtures("stack_away")
def test_pulumi_builds_the_image_and_waits_until_it_runs(
    machine: Client, images: Images, built: dict[str, str], stack_values: dict[str, Any], tmp_path: Path
) -> None:
    """By the real docker-build provider: pushed, run by digest, built anew only for a reason; a destroy leaves it."""
    base, other_base = images.bases_to_build_on
    stack = TestedStack(str(find_pulumi()), tmp_path, "local")
    values = {
        **stack_values,
        "kubeconfig": str(tmp_path / "kubeconfig"),
        "namespace": OWN,
        "watchNamespaces": [SERVED],
        "crd": {"manage": False},
        "rates": [],
        "image": {**built, "baseImage": base, "provenance": True},
    }
    stack.up(values)
    first = running(machine, stack)
    stack.up(values, "--expect-no-changes")
    values["image"] = {**built, "baseImage": other_base, "provenance": True}
    assert stack.preview(values) == {
        f"Image {OPERATOR}-image": "update",
        f"Deployment {OPERATOR}-deployment": "update",
    }
    stack.up(values)
    assert running(machine, stack) != first
    stack.destroy()
    assert images.manifest(first)


def running(machine: Client, stack: TestedStack) -> str:
    """Give the image of the only Pod, which is Ready and runs what the stack has pushed."""
    (image,) = [found for urn, found in stack.state().items() if "docker-build:index:Image" in urn]
    (pod,) = machine.items("v1", "Pod", OWN)
    assert condition(pod, "Ready")["status"] == "True"
    assert pod["spec"]["containers"][0]["image"] == image["outputs"]["ref"]
    reference = str(pod["status"]["containerStatuses"][0]["imageID"])
    assert reference.endswith(f"@{image['outputs']['digest']}")
    return reference
