"""The Pulumi program: reads the stack's config, makes one component on one explicit cluster, exports what is needed next."""

import pulumi
import pulumi_kubernetes as k8s

from exchangerates_infra.component import ExchangeRateOperator
from exchangerates_infra.stack_config import StackConfig, stack_values

config = StackConfig.parse(stack_values(), secret_key=pulumi.Config().get_secret("exchangeratesapiKey"))
cluster = k8s.Provider(
    "cluster",
    context=config.kube_context,
    kubeconfig=config.kubeconfig,
)
operator = ExchangeRateOperator("exchange-rate-operator", config.operator, pulumi.ResourceOptions(providers=[cluster]))

pulumi.export("namespace", operator.namespace)
pulumi.export("image", operator.image)
pulumi.export("serviceAccount", operator.service_account)
pulumi.export("exchangeRates", operator.exchange_rates)
pulumi.export("showRates", f"kubectl --context {config.kube_context} get exchangerates --all-namespaces")
