"""The Kubernetes providers of a stack: one named context, never whatever cluster is current."""

import pulumi
import pulumi_kubernetes as k8s


def cluster_provider(
    name: str, context: str, kubeconfig: pulumi.Input[str] | None, *, take_up_existing: bool = False
) -> k8s.Provider:
    """Register a provider for one cluster.

    Args:
        name: Its logical name.
        context: The kubeconfig context. It identifies the cluster: another one moves the stack there.
        kubeconfig: A kubeconfig's path or content; None for the usual places.
        take_up_existing: Whether an object that exists already is taken up rather than refused.
    """
    return k8s.Provider(
        name,
        context=context,
        # Not None: the SDK would then write this machine's $KUBECONFIG into the state.
        kubeconfig=kubeconfig or "",
        cluster_identifier=context,
        # What somebody changed by hand is put back by the next update instead of stopping it.
        enable_patch_force=True,
        # A Secret and a ConfigMap of a fixed name are changed in place: replacing would take them away for a while.
        enable_secret_mutable=True,
        enable_config_map_mutable=True,
        upsert_existing_objects=take_up_existing,
    )
