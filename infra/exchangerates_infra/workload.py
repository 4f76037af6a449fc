"""The operator's Deployment, with the Secret that holds its API key."""

import hashlib
from typing import Any, Final

import pulumi
import pulumi_kubernetes as k8s

from exchangerates.api import GROUP, Env
from exchangerates_infra.args import OperatorArgs
from exchangerates_infra.image import OperatorImage

NAME: Final = "exchange-rate-operator"
LABELS: Final = {"app.kubernetes.io/name": NAME}
PORT: Final = 8080
UID: Final = 65532
SECRET_KEY: Final = "exchangeratesapi-key"  # noqa: S105 - the name of the Secret's key


def api_key_secret(
    name: str, namespace: str, api_key: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> k8s.core.v1.Secret:
    """Register the Secret with the API key."""
    return k8s.core.v1.Secret(
        f"{name}-api-key", metadata={"name": NAME, "namespace": namespace}, string_data={SECRET_KEY: api_key}, opts=opts
    )


def deployment(
    name: str, args: OperatorArgs, image: OperatorImage, account: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> k8s.apps.v1.Deployment:
    """Register the Deployment: one replica, never two at once, restricted by the strictest Pod Security standard."""
    annotations: dict[str, pulumi.Input[str]] = {}
    if image.digest is not None:
        annotations[f"{GROUP}/image-digest"] = image.digest
    if args.api_key is not None:
        # A changed key has to roll the Pod: environment variables are read at its start.
        annotations[f"{GROUP}/api-key-sha256"] = pulumi.Output.from_input(args.api_key).apply(
            lambda key: hashlib.sha256(key.encode()).hexdigest()
        )
    skip = {} if args.wait_for_rollout else {"pulumi.com/skipAwait": "true"}
    return k8s.apps.v1.Deployment(
        f"{name}-deployment",
        metadata={"name": NAME, "namespace": args.namespace, "labels": LABELS, "annotations": skip},
        spec={
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": LABELS, "annotations": annotations},
                "spec": {
                    "serviceAccountName": account,
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": UID,
                        "runAsGroup": UID,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [_container(args, image)],
                },
            },
        },
        opts=opts,
    )


def _container(args: OperatorArgs, image: OperatorImage) -> dict[str, Any]:
    environment: list[dict[str, Any]] = [{"name": str(k), "value": v} for k, v in sorted(args.environment.items()) if v]
    if args.api_key is not None:
        source = {"secretKeyRef": {"name": NAME, "key": SECRET_KEY}}
        environment.append({"name": str(Env.EXCHANGERATESAPI_KEY), "valueFrom": source})
    return {
        "name": "operator",
        "image": image.ref,
        "imagePullPolicy": "IfNotPresent",
        "env": environment,
        "ports": [{"name": "http", "containerPort": PORT}],
        # The first list of a large cluster takes its time; a failing start-up probe means no answer at all.
        "startupProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 2, "failureThreshold": 60},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 20, "timeoutSeconds": 5},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 5, "timeoutSeconds": 5},
        # No CPU limit: throttling would make probes fail under load. Memory: about 60 MB with no objects, and 110 MB
        # more with ten thousand.
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "384Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
