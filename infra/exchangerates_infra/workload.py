"""The operator's Deployment, with the Secret that holds its API key."""

import hashlib
from typing import Final

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs, DeploymentStrategyArgs
from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    ContainerArgs,
    ContainerPortArgs,
    EnvVarArgs,
    EnvVarSourceArgs,
    HTTPGetActionArgs,
    PodSecurityContextArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ProbeArgs,
    ResourceRequirementsArgs,
    SeccompProfileArgs,
    Secret,
    SecretKeySelectorArgs,
    SecurityContextArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from exchangerates.api import GROUP, Env
from exchangerates_infra.args import OperatorArgs
from exchangerates_infra.image import OperatorImage
from exchangerates_infra.project import OPERATOR

LABELS: Final = {"app.kubernetes.io/name": OPERATOR}
PORT: Final = 8080
UID: Final = 65532
API_KEY: Final = "exchangeratesapi-key"
"""The name of the Secret's entry."""


def api_key_secret(name: str, namespace: str, api_key: pulumi.Input[str], opts: pulumi.ResourceOptions) -> Secret:
    """Register the Secret with the API key."""
    metadata = ObjectMetaArgs(name=OPERATOR, namespace=namespace)
    return Secret(f"{name}-api-key", metadata=metadata, string_data={API_KEY: api_key}, opts=opts)


def deployment(
    name: str, args: OperatorArgs, image: OperatorImage, account: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> Deployment:
    """Register the Deployment: one replica, never two at once, within the restricted Pod Security standard."""
    # Without a node it never becomes available, so neither an update nor a destroy may wait for it.
    skip = None if args.wait_for_rollout else {"pulumi.com/skipAwait": "true"}
    return Deployment(
        f"{name}-deployment",
        metadata=ObjectMetaArgs(name=OPERATOR, namespace=args.namespace, labels=LABELS, annotations=skip),
        spec=DeploymentSpecArgs(
            replicas=1,
            strategy=DeploymentStrategyArgs(type="Recreate"),
            selector=LabelSelectorArgs(match_labels=LABELS),
            template=PodTemplateSpecArgs(
                metadata=ObjectMetaArgs(labels=LABELS, annotations=_rolled_by(args, image)),
                spec=PodSpecArgs(
                    service_account_name=account,
                    termination_grace_period_seconds=10,
                    security_context=PodSecurityContextArgs(
                        run_as_non_root=True,
                        run_as_user=UID,
                        run_as_group=UID,
                        seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
                    ),
                    containers=[_container(args, image)],
                ),
            ),
        ),
        opts=opts,
    )


def _rolled_by(args: OperatorArgs, image: OperatorImage) -> dict[str, pulumi.Input[str]]:
    """Give annotations that change with what the Pod reads only at its start."""
    annotations: dict[str, pulumi.Input[str]] = {}
    if image.digest is not None:
        annotations[f"{GROUP}/image-digest"] = image.digest
    if args.api_key is not None:
        annotations[f"{GROUP}/api-key-sha256"] = pulumi.Output.from_input(args.api_key).apply(
            lambda key: hashlib.sha256(key.encode()).hexdigest()
        )
    return annotations


def _container(args: OperatorArgs, image: OperatorImage) -> ContainerArgs:
    environment = [EnvVarArgs(name=str(key), value=value) for key, value in sorted(args.environment.items()) if value]
    if args.api_key is not None:
        source = EnvVarSourceArgs(secret_key_ref=SecretKeySelectorArgs(name=OPERATOR, key=API_KEY))
        environment.append(EnvVarArgs(name=str(Env.EXCHANGERATESAPI_KEY), value_from=source))
    alive = HTTPGetActionArgs(path="/healthz", port="http")
    ready = HTTPGetActionArgs(path="/readyz", port="http")
    return ContainerArgs(
        name="operator",
        image=image.ref,
        image_pull_policy="IfNotPresent",
        env=environment,
        ports=[ContainerPortArgs(name="http", container_port=PORT)],
        # Two minutes to start: the operator itself gives up after one without its CRD.
        startup_probe=ProbeArgs(http_get=alive, period_seconds=2, failure_threshold=60),
        liveness_probe=ProbeArgs(http_get=alive, period_seconds=20, timeout_seconds=5),
        readiness_probe=ProbeArgs(http_get=ready, period_seconds=5, timeout_seconds=5),
        # Measured in a Pod (tests/node/measure.py) with no, 1,000 and 5,000 objects: 44, 60 and 93 MB at rest, and 44,
        # 81 and 123 MB at most, at a start. The request covers rest with 5,000; the limit is three times that start,
        # which leaves room for 10,000. At rest it takes less than 2 mCPU, and a start 1, 4 and 13 CPU seconds: the
        # request is for the start, and there is no limit, since throttling would make probes fail under load.
        resources=ResourceRequirementsArgs(requests={"cpu": "50m", "memory": "96Mi"}, limits={"memory": "384Mi"}),
        security_context=SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=CapabilitiesArgs(drop=["ALL"]),
        ),
    )
