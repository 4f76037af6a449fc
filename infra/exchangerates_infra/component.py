"""The component: an exchange-rate operator with all that it needs in one cluster.

It leaves to others: the cluster, the registry, and the namespaces that ExchangeRates live in.
"""

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Namespace, ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from exchangerates.api import API_VERSION, KIND
from exchangerates_infra.args import OperatorArgs, RateArgs
from exchangerates_infra.crd import custom_resource_definition, people_roles
from exchangerates_infra.image import operator_image
from exchangerates_infra.project import OPERATOR
from exchangerates_infra.rbac import operator_rights
from exchangerates_infra.workload import api_key_secret, deployment

_RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}


class ExchangeRateOperator(pulumi.ComponentResource):
    """An operator with its CRD, rights, image, Deployment and the environment's own ExchangeRates.

    Everything is on the Kubernetes provider of `opts.providers`. Destroying takes the ExchangeRates first, then the
    Deployment, then the rest; the CRD takes the users' ExchangeRates along, and garbage collection their ConfigMaps.

    Attributes:
        namespace: The operator's own namespace.
        image: The reference of the image that runs.
        service_account: `namespace/name` of its ServiceAccount.
        exchange_rates: `namespace/name` of the environment's ExchangeRates.
    """

    namespace: pulumi.Output[str]
    image: pulumi.Output[str]
    service_account: pulumi.Output[str]
    exchange_rates: pulumi.Output[list[str]]

    def __init__(self, name: str, args: OperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("exchange-rate-operator:index:ExchangeRateOperator", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = Namespace(
            f"{name}-namespace", metadata=ObjectMetaArgs(name=args.namespace, labels=_RESTRICTED), opts=child
        )
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        account = ServiceAccount(
            f"{name}-account", metadata=ObjectMetaArgs(name=OPERATOR, namespace=args.namespace), opts=inside
        )
        needs: list[pulumi.Resource] = operator_rights(name, account, args.namespace, args.watch_namespaces, child)
        if args.manage_crd:
            keep = pulumi.ResourceOptions(parent=self, retain_on_delete=args.retain_crd)
            needs.append(custom_resource_definition(name, keep))
            people_roles(name, args.namespace, child)
        if args.api_key is not None:
            needs.append(api_key_secret(name, args.namespace, args.api_key, inside))
        image = operator_image(name, args.image, child)
        workload = deployment(
            name,
            args,
            image,
            account.metadata.name,
            pulumi.ResourceOptions(parent=self, depends_on=[*needs, namespace]),
        )
        # After the Deployment: destroyed in reverse, they go while the operator and their kind are still there.
        after = pulumi.ResourceOptions(parent=self, depends_on=[workload, *needs])
        for rate in args.rates:
            _exchange_rate(name, rate, after, wait=args.wait_for_rates)

        self.namespace = namespace.metadata.name
        self.image = pulumi.Output.from_input(image.ref)
        self.service_account = pulumi.Output.format("{0}/{1}", args.namespace, account.metadata.name)
        self.exchange_rates = pulumi.Output.from_input([f"{rate.namespace}/{rate.name}" for rate in args.rates])
        self.register_outputs(
            {
                "namespace": self.namespace,
                "image": self.image,
                "serviceAccount": self.service_account,
                "exchangeRates": self.exchange_rates,
            }
        )


def _exchange_rate(name: str, rate: RateArgs, opts: pulumi.ResourceOptions, *, wait: bool) -> CustomResource:
    annotations = {"pulumi.com/waitFor": "condition=Ready"} if wait else None
    return CustomResource(
        f"{name}-rate-{rate.namespace}-{rate.name}",
        api_version=API_VERSION,
        kind=KIND,
        metadata=ObjectMetaArgs(name=rate.name, namespace=rate.namespace, annotations=annotations),
        spec=dict(rate.spec),
        opts=opts,
    )
