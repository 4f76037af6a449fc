"""The Pulumi program: reads the stack's config, makes one component on one explicit cluster, exports what is next."""

import pulumi
import pulumi_kubernetes as k8s

from exchangerates_infra.component import ExchangeRateOperator
from exchangerates_infra.stack_config import StackConfig, secret_keys, stack_values

values = stack_values()
config = StackConfig.parse(values, secret_keys(values))
cluster = k8s.Provider("cluster", context=config.kube_context, kubeconfig=config.kubeconfig)
operator = ExchangeRateOperator("exchange-rate-operator", config.operator, pulumi.ResourceOptions(providers=[cluster]))

kubectl = f"kubectl --context {config.kube_context}"
pulumi.export("namespace", operator.namespace)
pulumi.export("image", operator.image)
pulumi.export("serviceAccount", operator.service_account)
pulumi.export("exchangeRates", operator.exchange_rates)
pulumi.export("showRates", f"{kubectl} get exchangerates --all-namespaces")
pulumi.export("showLogs", pulumi.Output.format("{0} --namespace {1} logs deployment/{1}", kubectl, operator.namespace))
