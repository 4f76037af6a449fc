"""The component: an exchange-rate operator with all that it needs in one cluster.

It leaves to others: the cluster, the registry, and the namespaces that ExchangeRates live in.
"""

import pulumi
import pulumi_kubernetes as k8s

from exchangerates.api import API_VERSION, KIND
from exchangerates_infra.args import OperatorArgs
from exchangerates_infra.crd import custom_resource_definition, people_roles
from exchangerates_infra.image import operator_image
from exchangerates_infra.rbac import operator_rights
from exchangerates_infra.workload import NAME, api_key_secret, deployment

_RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}


class ExchangeRateOperator(pulumi.ComponentResource):
    """An operator with its CRD, rights, image, Deployment and the environment's own ExchangeRates.

    Everything is on the Kubernetes provider of `opts.providers`. What is destroyed goes in this order: ExchangeRates,
    Deployment, rights, CRD (with the users' ExchangeRates; garbage collection takes their ConfigMaps), namespace.

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
        namespace = k8s.core.v1.Namespace(
            f"{name}-namespace", metadata={"name": args.namespace, "labels": _RESTRICTED}, opts=child
        )
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        crd: list[pulumi.Resource] = []
        if args.manage_crd:
            crd.append(custom_resource_definition(name, child, retain=args.retain_crd))
            people_roles(name, args.namespace, child)
        account = k8s.core.v1.ServiceAccount(
            f"{name}-account", metadata={"name": NAME, "namespace": args.namespace}, opts=inside
        )
        needs: list[pulumi.Resource] = [
            namespace,
            *crd,
            *operator_rights(name, account, args.namespace, args.watch_namespaces, child),
        ]
        if args.api_key is not None:
            needs.append(api_key_secret(name, args.namespace, args.api_key, inside))
        image = operator_image(name, args.image, child)
        workload = deployment(
            name, args, image, account.metadata["name"], pulumi.ResourceOptions(parent=self, depends_on=needs)
        )
        rates = [
            self._exchange_rate(name, args, index, [*crd, namespace, workload]) for index in range(len(args.rates))
        ]

        self.namespace = namespace.metadata["name"]
        self.image = pulumi.Output.from_input(image.ref)
        self.service_account = account.metadata["name"].apply(lambda account: f"{args.namespace}/{account}")
        self.exchange_rates = pulumi.Output.all(
            *[
                rate.metadata["name"].apply(lambda made, where=spec.namespace: f"{where}/{made}")
                for rate, spec in zip(rates, args.rates, strict=True)
            ]
        )
        self.register_outputs(
            {
                "namespace": self.namespace,
                "image": self.image,
                "serviceAccount": self.service_account,
                "exchangeRates": self.exchange_rates,
            }
        )

    def _exchange_rate(
        self, name: str, args: OperatorArgs, index: int, needs: list[pulumi.Resource]
    ) -> k8s.apiextensions.CustomResource:
        rate = args.rates[index]
        wait = {"pulumi.com/waitFor": "condition=Ready"} if args.wait_for_rates else {}
        return k8s.apiextensions.CustomResource(
            f"{name}-rate-{rate.namespace}-{rate.name}",
            api_version=API_VERSION,
            kind=KIND,
            metadata={"name": rate.name, "namespace": rate.namespace, "annotations": wait},
            spec=dict(rate.spec),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )
