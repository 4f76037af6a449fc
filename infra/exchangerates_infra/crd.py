"""The CustomResourceDefinition, and what people may do with its objects."""

from pathlib import Path
from typing import Any, Final

import pulumi
import pulumi_kubernetes as k8s
import yaml

from exchangerates.api import CRD_NAME, GROUP, PLURAL

CRD_FILE: Final = Path(__file__).parents[2] / "operator" / "exchangerates" / "crd.yaml"
_ALL_VERBS: Final = ["create", "delete", "deletecollection", "patch", "update"]


def definition() -> dict[str, Any]:
    """Give the CustomResourceDefinition from the operator's own file."""
    body: dict[str, Any] = yaml.safe_load(CRD_FILE.read_text(encoding="utf-8"))
    return body


def custom_resource_definition(
    name: str, opts: pulumi.ResourceOptions, *, retain: bool
) -> k8s.apiextensions.v1.CustomResourceDefinition:
    """Register the CRD; the provider has no awaiter for it, so it is told what to wait for."""
    body = definition()
    return k8s.apiextensions.v1.CustomResourceDefinition(
        f"{name}-crd",
        metadata={"name": CRD_NAME, "annotations": {"pulumi.com/waitFor": "condition=Established"}},
        spec=body["spec"],
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(retain_on_delete=retain)),
    )


def people_roles(name: str, prefix: str, opts: pulumi.ResourceOptions) -> None:
    """Register ClusterRoles that the cluster's own view, edit and admin take up."""
    for role, aggregate_to, verbs in (
        ("view", ("view",), ["get", "list", "watch"]),
        ("edit", ("edit", "admin"), ["get", "list", "watch", *_ALL_VERBS]),
    ):
        labels = {f"rbac.authorization.k8s.io/aggregate-to-{target}": "true" for target in aggregate_to}
        k8s.rbac.v1.ClusterRole(
            f"{name}-people-{role}",
            metadata={"name": f"{prefix}:{role}", "labels": labels},
            rules=[{"apiGroups": [GROUP], "resources": [PLURAL], "verbs": verbs}],
            opts=opts,
        )
