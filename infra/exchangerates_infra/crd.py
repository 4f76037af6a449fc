"""The CustomResourceDefinition, and what people may do with its objects."""

from functools import cache
from pathlib import Path
from typing import Any, Final

import pulumi
import yaml
from pulumi_kubernetes.apiextensions.v1 import CustomResourceDefinition
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac.v1 import ClusterRole, PolicyRuleArgs

import exchangerates
from exchangerates.api import CRD_NAME, GROUP, PLURAL
from exchangerates_infra.args import CrdArgs

CRD_FILE: Final = Path(exchangerates.__file__).with_name("crd.yaml")
"""Beside the operator's modules, also where both are installed from a wheel."""
_READ: Final = ("get", "list", "watch")
_WRITE: Final = ("create", "delete", "deletecollection", "patch", "update")


@cache
def definition() -> dict[str, Any]:
    """Give the CustomResourceDefinition from the operator's own file."""
    body: dict[str, Any] = yaml.safe_load(CRD_FILE.read_text(encoding="utf-8"))
    return body


def spec_schema() -> dict[str, dict[str, Any]]:
    """Give the schemas of the fields of an ExchangeRate's spec, by their names."""
    schema = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields: dict[str, dict[str, Any]] = schema["properties"]["spec"]["properties"]
    return fields


def custom_resource_definition(name: str, args: CrdArgs, parent: pulumi.Resource) -> CustomResourceDefinition:
    """Register the CRD; the provider has no awaiter for it, so it is told what to wait for."""
    wait = {"pulumi.com/waitFor": "condition=Established"}
    return CustomResourceDefinition(
        f"{name}-crd",
        metadata=ObjectMetaArgs(name=CRD_NAME, annotations=wait),
        spec=definition()["spec"],
        opts=pulumi.ResourceOptions(
            parent=parent, provider=args.provider, retain_on_delete=args.retain, protect=args.protect
        ),
    )


def read_definition(name: str, args: CrdArgs, parent: pulumi.Resource) -> CustomResourceDefinition:
    """Read the CRD of somebody else: one that is not there stops the preview, one that was this component's is let go.

    Under any other address Pulumi would delete the latter, and every ExchangeRate of the cluster with it.
    """
    return CustomResourceDefinition.get(
        f"{name}-crd", CRD_NAME, opts=pulumi.ResourceOptions(parent=parent, provider=args.provider)
    )


def people_roles(name: str, namespace: str, args: CrdArgs, parent: pulumi.Resource) -> list[pulumi.Resource]:
    """Register ClusterRoles that the cluster's own view, edit and admin take up.

    They are kept and taken up with the CRD: whoever has ExchangeRates in a cluster has to reach them.
    """
    opts = pulumi.ResourceOptions(parent=parent, provider=args.provider, retain_on_delete=args.retain)
    roles: list[pulumi.Resource] = []
    # To admin too, as Kubernetes documents it: its own admin takes up edit, but one that a platform team made may not.
    for role, targets, verbs in (("view", ("view",), _READ), ("edit", ("edit", "admin"), _READ + _WRITE)):
        labels = {f"rbac.authorization.k8s.io/aggregate-to-{target}": "true" for target in targets}
        roles.append(
            ClusterRole(
                f"{name}-people-{role}",
                metadata=ObjectMetaArgs(name=f"{namespace}:{role}", labels=labels),
                rules=[PolicyRuleArgs(api_groups=[GROUP], resources=[PLURAL], verbs=list(verbs))],
                opts=opts,
            )
        )
    return roles
