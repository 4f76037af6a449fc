"""The component: an exchange-rate operator with all that it needs in one cluster.

It leaves to others: the cluster, the registry, and the namespaces that ExchangeRates live in.
"""

import pulumi
from pulumi_kubernetes.core.v1 import Namespace, ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from exchangerates_infra.args import (
    CrdArgs,
    EgressArgs,
    ImageArgs,
    MonitoringArgs,
    NetworkPolicyArgs,
    OperatorArgs,
    PodArgs,
    RateArgs,
)
from exchangerates_infra.crd import custom_resource_definition, people_roles, read_definition
from exchangerates_infra.environment import secrets
from exchangerates_infra.image import operator_image
from exchangerates_infra.monitoring import monitoring
from exchangerates_infra.network import network_policy
from exchangerates_infra.project import OPERATOR
from exchangerates_infra.rates import exchange_rate
from exchangerates_infra.rbac import operator_rights
from exchangerates_infra.workload import ca_config_map, deployment, metrics_service, secret

__all__ = [
    "CrdArgs",
    "EgressArgs",
    "ExchangeRateOperator",
    "ImageArgs",
    "MonitoringArgs",
    "NetworkPolicyArgs",
    "OperatorArgs",
    "PodArgs",
    "RateArgs",
]

_RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}


class ExchangeRateOperator(pulumi.ComponentResource):
    """An operator with its CRD, rights, image, Deployment and the environment's own ExchangeRates.

    Everything is on the Kubernetes provider of `opts.providers`. Destroying takes the ExchangeRates first, then the
    Deployment, then the rest; the CRD takes the users' ExchangeRates along, and garbage collection their ConfigMaps.

    The children's names begin with the component's: with `aliases=[pulumi.Alias(name="its-former-name")]` in `opts`, a
    renamed component keeps all of them.

    Args:
        name: The component's logical name.
        args: What the operator is made of; None for the defaults.
        opts: Options; `providers` has to hold a Kubernetes provider.

    Attributes:
        namespace: The operator's own namespace.
        image: The reference of the image that runs.
        service_account: `namespace/name` of its ServiceAccount.
        exchange_rates: `namespace/name` of the environment's ExchangeRates.
        show_rates: The command that shows the ExchangeRates.
        show_logs: The command that shows the operator's log.
    """

    namespace: pulumi.Output[str]
    image: pulumi.Output[str]
    service_account: pulumi.Output[str]
    exchange_rates: pulumi.Output[list[str]]
    show_rates: pulumi.Output[str]
    show_logs: pulumi.Output[str]

    def __init__(self, name: str, args: OperatorArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("exchange-rate-operator:index:ExchangeRateOperator", name, None, opts)
        args = args or OperatorArgs()
        namespace = self._namespace(name, args)
        inside = _child(self, namespace)
        account = ServiceAccount(
            f"{name}-account", metadata=ObjectMetaArgs(name=OPERATOR, namespace=args.namespace), opts=inside
        )
        needs = [namespace, self._kind(name, args), *self._inside(name, args, inside)]
        needs += operator_rights(name, account, args.namespace, args.watch_namespaces, inside)
        image = operator_image(name, args.image, _child(self))
        workload = deployment(name, args, image, account.metadata.name, _child(self, *needs))
        # After the Deployment: destroyed in reverse, they go while the operator and their kind are still there.
        for rate in args.rates:
            exchange_rate(name, rate, _child(self, workload, *needs), wait=args.wait_for_rates)
        self.namespace = pulumi.Output.from_input(namespace.metadata.name if args.create_namespace else args.namespace)
        self.image = pulumi.Output.from_input(image.ref)
        self.service_account = pulumi.Output.format("{0}/{1}", args.namespace, account.metadata.name)
        self._tell(args)

    def _namespace(self, name: str, args: OperatorArgs) -> Namespace:
        """Register the operator's own namespace, or read it where somebody else looks after it.

        What is read has to be there, or the preview stops. Under the address of one that this component had created,
        Pulumi lets that go instead of deleting it.
        """
        if not args.create_namespace:
            return Namespace.get(f"{name}-namespace", args.namespace, opts=_child(self))
        metadata = ObjectMetaArgs(name=args.namespace, labels=_RESTRICTED)
        return Namespace(f"{name}-namespace", metadata=metadata, opts=_child(self))

    def _kind(self, name: str, args: OperatorArgs) -> pulumi.Resource:
        """Register the CRD with the roles for people where this component owns them, or read it as the namespace."""
        if not args.crd.manage:
            return read_definition(name, args.crd, self)
        people_roles(name, args.namespace, args.crd, self)
        return custom_resource_definition(name, args.crd, self)

    def _inside(self, name: str, args: OperatorArgs, inside: pulumi.ResourceOptions) -> list[pulumi.Resource]:
        """Register what stands beside the Deployment in its namespace; give what it cannot start without."""
        metrics_service(name, args.namespace, inside)
        if args.monitoring.enabled:
            monitoring(name, args.namespace, args.monitoring, inside)
        needs: list[pulumi.Resource] = []
        if args.network_policy.enabled:
            needs.append(network_policy(name, args, inside))
        if secrets(args):
            needs.append(secret(name, args, inside))
        if args.egress.ca_bundle is not None:
            needs.append(ca_config_map(name, args.namespace, args.egress.ca_bundle, inside))
        return needs

    def _tell(self, args: OperatorArgs) -> None:
        self.exchange_rates = pulumi.Output.from_input([f"{rate.namespace}/{rate.name}" for rate in args.rates])
        self.show_rates = pulumi.Output.from_input(f"{args.kubectl} get exchangerates --all-namespaces")
        self.show_logs = pulumi.Output.from_input(
            f"{args.kubectl} --namespace {args.namespace} logs deployment/{OPERATOR}"
        )
        self.register_outputs(
            {
                "namespace": self.namespace,
                "image": self.image,
                "serviceAccount": self.service_account,
                "exchangeRates": self.exchange_rates,
                "showRates": self.show_rates,
                "showLogs": self.show_logs,
            }
        )


def _child(component: pulumi.Resource, *needs: pulumi.Resource) -> pulumi.ResourceOptions:
    """Give the options of a child; the caller's are not merged in: their parent and protection are the component's."""
    return pulumi.ResourceOptions(parent=component, depends_on=list(needs))
