"""The operator's own rights: one rule per need, no wildcard."""

from typing import Final

import pulumi
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac.v1 import (
    ClusterRole,
    ClusterRoleBinding,
    PolicyRuleArgs,
    Role,
    RoleBinding,
    RoleRefArgs,
    SubjectArgs,
)

from exchangerates.api import GROUP, PLURAL
from exchangerates_infra.project import OPERATOR

_RBAC_GROUP: Final = "rbac.authorization.k8s.io"


def _rules() -> list[PolicyRuleArgs]:
    return [
        # List and watch for the work, get before a ConfigMap is made again; patch takes off the finalizer that the
        # tutorial's operator left.
        PolicyRuleArgs(api_groups=[GROUP], resources=[PLURAL], verbs=["get", "list", "watch", "patch"]),
        PolicyRuleArgs(api_groups=[GROUP], resources=[f"{PLURAL}/status"], verbs=["patch"]),
        # Publishing (create, patch), repairing (list, watch), taking up (get), removing a renamed target (delete).
        PolicyRuleArgs(
            api_groups=[""], resources=["configmaps"], verbs=["get", "list", "watch", "create", "patch", "delete"]
        ),
        # Transitions of Ready.
        PolicyRuleArgs(api_groups=[""], resources=["events"], verbs=["create"]),
    ]


def _own_rules() -> list[PolicyRuleArgs]:
    """Give the rights in the operator's own namespace: events about itself are on its Deployment, by its uid."""
    return [
        PolicyRuleArgs(api_groups=["apps"], resources=["deployments"], resource_names=[OPERATOR], verbs=["get"]),
        PolicyRuleArgs(api_groups=[""], resources=["events"], verbs=["create"]),
    ]


def operator_rights(
    name: str,
    account: ServiceAccount,
    namespace: str,
    watched: tuple[str, ...],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Register the rights, in the whole cluster or in the watched namespaces only; give the bindings."""
    subjects = [SubjectArgs(kind="ServiceAccount", name=account.metadata.name, namespace=namespace)]
    role_name = f"{namespace}:operator"

    def local(logical: str, role_name: str, place: str, rules: list[PolicyRuleArgs]) -> RoleBinding:
        metadata = ObjectMetaArgs(name=role_name, namespace=place)
        role = Role(logical, metadata=metadata, rules=rules, opts=opts)
        ref = RoleRefArgs(api_group=_RBAC_GROUP, kind="Role", name=role.metadata.name)
        return RoleBinding(logical, metadata=metadata, role_ref=ref, subjects=subjects, opts=opts)

    own = local(f"{name}-own-rights", f"{role_name}-own", namespace, _own_rules())
    if watched:
        return [own, *(local(f"{name}-rights-{place}", role_name, place, _rules()) for place in watched)]
    role = ClusterRole(f"{name}-rights", metadata=ObjectMetaArgs(name=role_name), rules=_rules(), opts=opts)
    binding = ClusterRoleBinding(
        f"{name}-rights",
        metadata=ObjectMetaArgs(name=role_name),
        role_ref=RoleRefArgs(api_group=_RBAC_GROUP, kind="ClusterRole", name=role.metadata.name),
        subjects=subjects,
        opts=opts,
    )
    return [own, binding]
