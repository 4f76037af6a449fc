"""The operator's own rights: one rule per need, no wildcard."""

from typing import Any, Final

import pulumi
import pulumi_kubernetes as k8s

from exchangerates.api import GROUP, PLURAL

RULES: Final[list[dict[str, Any]]] = [
    # List and watch for the work, get before a ConfigMap is made again; patch takes off the finalizer that the
    # tutorial's operator left.
    {"apiGroups": [GROUP], "resources": [PLURAL], "verbs": ["get", "list", "watch", "patch"]},
    {"apiGroups": [GROUP], "resources": [f"{PLURAL}/status"], "verbs": ["patch"]},
    # Publishing, repairing, taking up (get) and removing a renamed target (delete).
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]},
    # Transitions of Ready.
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
]


def operator_rights(
    name: str,
    account: k8s.core.v1.ServiceAccount,
    namespace: str,
    watched: tuple[str, ...],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Register the rights, in the whole cluster or in the watched namespaces only; give the bindings."""
    subjects = [{"kind": "ServiceAccount", "name": account.metadata["name"], "namespace": namespace}]
    role_name = f"{namespace}:operator"
    if not watched:
        role = k8s.rbac.v1.ClusterRole(f"{name}-rights", metadata={"name": role_name}, rules=RULES, opts=opts)
        binding = k8s.rbac.v1.ClusterRoleBinding(
            f"{name}-rights",
            metadata={"name": role_name},
            role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role.metadata["name"]},
            subjects=subjects,
            opts=opts,
        )
        return [binding]
    bindings: list[pulumi.Resource] = []
    for target in watched:
        metadata = {"name": role_name, "namespace": target}
        local = k8s.rbac.v1.Role(f"{name}-rights-{target}", metadata=metadata, rules=RULES, opts=opts)
        bindings.append(
            k8s.rbac.v1.RoleBinding(
                f"{name}-rights-{target}",
                metadata=metadata,
                role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": local.metadata["name"]},
                subjects=subjects,
                opts=opts,
            )
        )
    return bindings
