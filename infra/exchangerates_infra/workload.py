"""The operator's Deployment, with the Secret and the ConfigMap that it reads and the Service of its metrics."""

import hashlib
import json
from typing import Any, Final

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs, DeploymentStrategyArgs
from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    ConfigMap,
    ConfigMapVolumeSourceArgs,
    ContainerArgs,
    ContainerPortArgs,
    HTTPGetActionArgs,
    LocalObjectReferenceArgs,
    PodSecurityContextArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ProbeArgs,
    ResourceRequirementsArgs,
    SeccompProfileArgs,
    Secret,
    SecurityContextArgs,
    Service,
    ServicePortArgs,
    ServiceSpecArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from exchangerates.api import GROUP
from exchangerates_infra.args import OperatorArgs
from exchangerates_infra.environment import CA_DIRECTORY, CA_FILE, secrets, variables
from exchangerates_infra.image import OperatorImage
from exchangerates_infra.project import OPERATOR
from exchangerates_infra.resources import over_defaults

LABELS: Final = {"app.kubernetes.io/name": OPERATOR}
PORT: Final = 8080
PORT_NAME: Final = "http"
UID: Final = 65532
SECRET_HASH: Final = f"{GROUP}/secret-scrypt"
"""The annotation that changes with the Secret, which the Pod reads only at its start."""
_CA: Final = f"{OPERATOR}-ca"
_SKIP: Final = {"pulumi.com/skipAwait": "true"}
_ROLLED_OUT: Final = ["jsonpath={.status.updatedReplicas}=1", "jsonpath={.status.availableReplicas}=1"]


def secret(name: str, args: OperatorArgs, opts: pulumi.ResourceOptions) -> Secret:
    """Register the Secret with the API keys and the proxies' credentials."""
    metadata = ObjectMetaArgs(name=OPERATOR, namespace=args.namespace)
    entries = dict(secrets(args).values())  # the resource makes them secret in the state
    return Secret(f"{name}-api-key", metadata=metadata, string_data=entries, opts=opts)


def ca_config_map(name: str, namespace: str, ca_bundle: str, opts: pulumi.ResourceOptions) -> ConfigMap:
    """Register the ConfigMap with the private certificate authorities."""
    metadata = ObjectMetaArgs(name=_CA, namespace=namespace)
    return ConfigMap(f"{name}-ca", metadata=metadata, data={CA_FILE: ca_bundle}, opts=opts)


def metrics_service(name: str, namespace: str, opts: pulumi.ResourceOptions) -> Service:
    """Register the Service that Prometheus finds the metrics by. Nothing waits for its endpoints."""
    return Service(
        f"{name}-metrics",
        metadata=ObjectMetaArgs(name=OPERATOR, namespace=namespace, labels=LABELS, annotations=_SKIP),
        spec=ServiceSpecArgs(
            type="ClusterIP",
            selector=LABELS,
            ports=[ServicePortArgs(name=PORT_NAME, port=PORT, target_port=PORT_NAME, protocol="TCP")],
        ),
        opts=opts,
    )


def deployment(
    name: str, args: OperatorArgs, image: OperatorImage, account: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> Deployment:
    """Register the Deployment: one replica, never two at once, within the restricted Pod Security standard."""
    labels = {**args.pod.labels, **LABELS}
    return Deployment(
        f"{name}-deployment",
        metadata=ObjectMetaArgs(
            name=OPERATOR,
            namespace=args.namespace,
            labels=labels,
            # Without a node it never becomes available, so neither an update nor a destroy may wait for it. What Pulumi
            # waits for of itself also holds for the Pod that goes, before `Recreate` has made another.
            annotations={"pulumi.com/waitFor": json.dumps(_ROLLED_OUT)} if args.wait_for_rollout else _SKIP,
        ),
        spec=DeploymentSpecArgs(
            replicas=1,
            strategy=DeploymentStrategyArgs(type="Recreate"),
            # Without the stack's own labels: a selector cannot be changed.
            selector=LabelSelectorArgs(match_labels=LABELS),
            template=PodTemplateSpecArgs(
                metadata=ObjectMetaArgs(labels=labels, annotations=_rolled_by(args, image) or None),
                spec=_pod(args, image, account),
            ),
        ),
        # Never two operators: also where it moves to another namespace, the old one goes first.
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(delete_before_replace=True)),
    )


def _rolled_by(args: OperatorArgs, image: OperatorImage) -> dict[str, pulumi.Input[str]]:
    """Give annotations that change with what the Pod reads only at its start."""
    annotations: dict[str, pulumi.Input[str]] = {}
    if image.digest is not None:
        annotations[f"{GROUP}/image-digest"] = image.digest
    if kept := [value for _, value in secrets(args).values()]:
        # The hash tells nothing of an API key; as a secret it would hide the whole Deployment in every preview.
        digest = pulumi.Output.all(*kept).apply(lambda values: _slow_hash("\n".join(values), args.namespace))
        annotations[SECRET_HASH] = pulumi.Output.unsecret(digest)
    if args.egress.ca_bundle is not None:
        annotations[f"{GROUP}/ca-bundle-sha256"] = _sha256(args.egress.ca_bundle)
    return annotations


def _slow_hash(text: str, salt: str) -> str:
    """Hash what may be a password that somebody has chosen: who reads the Deployment must not guess it by trying."""
    return hashlib.scrypt(text.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32).hex()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _pod(args: OperatorArgs, image: OperatorImage, account: pulumi.Input[str]) -> PodSpecArgs:
    ca = VolumeArgs(name="ca", config_map=ConfigMapVolumeSourceArgs(name=_CA))
    return PodSpecArgs(
        service_account_name=account,
        image_pull_secrets=[LocalObjectReferenceArgs(name=found) for found in args.image.pull_secrets] or None,
        termination_grace_period_seconds=10,
        priority_class_name=args.pod.priority_class,
        # None where they are empty: the API server drops what is empty, and each preview would show it anew.
        node_selector=dict(args.pod.node_selector) or None,
        tolerations=[_plain(toleration) for toleration in args.pod.tolerations] or None,
        security_context=PodSecurityContextArgs(
            run_as_non_root=True,
            run_as_user=UID,
            run_as_group=UID,
            seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
        ),
        containers=[_container(args, image)],
        volumes=[ca] if args.egress.ca_bundle else None,
    )


def _plain(value: Any) -> Any:  # noqa: ANN401 - the SDK takes plain dicts in place of its own classes
    return dict(value)


def _container(args: OperatorArgs, image: OperatorImage) -> ContainerArgs:
    alive = HTTPGetActionArgs(path="/healthz", port=PORT_NAME)
    ready = HTTPGetActionArgs(path="/readyz", port=PORT_NAME)
    ca = VolumeMountArgs(name="ca", mount_path=CA_DIRECTORY, read_only=True)
    resources = over_defaults(args.pod.resources)
    return ContainerArgs(
        name="operator",
        image=image.ref,
        image_pull_policy="IfNotPresent",
        env=variables(args),
        ports=[ContainerPortArgs(name=PORT_NAME, container_port=PORT)],
        # Two minutes to start: the operator itself gives up after one without its CRD.
        startup_probe=ProbeArgs(http_get=alive, period_seconds=2, failure_threshold=60),
        liveness_probe=ProbeArgs(http_get=alive, period_seconds=20, timeout_seconds=5),
        readiness_probe=ProbeArgs(http_get=ready, period_seconds=5, timeout_seconds=5),
        resources=ResourceRequirementsArgs(requests=resources["requests"], limits=resources["limits"]),
        security_context=SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=CapabilitiesArgs(drop=["ALL"]),
        ),
        # `kubectl describe pod` shows the last lines of a process that failed: what settings it refused, for example.
        termination_message_policy="FallbackToLogsOnError",
        volume_mounts=[ca] if args.egress.ca_bundle else None,
    )
