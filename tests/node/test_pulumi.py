"""The stack on a real node by the real Pulumi CLI, which waits for what it made."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.test_stack import NEEDS_PULUMI, up_and_down
from tests.node.node import Node, condition, eventually

from exchangerates.api import API_VERSION, KIND
from exchangerates_infra.project import OPERATOR
from localcluster.client import Client, Reference

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
