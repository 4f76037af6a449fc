"""The Pulumi program: reads the stack's config, makes one component on one explicit cluster, exports what is next."""

from dataclasses import replace

import pulumi

from exchangerates_infra.clusters import cluster_provider
from exchangerates_infra.component import ExchangeRateOperator
from exchangerates_infra.stack_config import StackConfig, secret_keys, stack_values

values = stack_values()
config = StackConfig.parse(values, secret_keys(values))
cluster = cluster_provider("cluster", config.kube_context, config.kubeconfig)
# The CRD is on a provider of its own, so that it alone may be taken up where it is there already.
crds = cluster_provider("cluster-crd", config.kube_context, config.kubeconfig, take_up_existing=config.adopt_crd)
args = replace(config.operator, crd=replace(config.operator.crd, provider=crds))
operator = ExchangeRateOperator("exchange-rate-operator", args, pulumi.ResourceOptions(providers=[cluster]))

pulumi.export("namespace", operator.namespace)
pulumi.export("image", operator.image)
pulumi.export("serviceAccount", operator.service_account)
pulumi.export("exchangeRates", operator.exchange_rates)
pulumi.export("showRates", operator.show_rates)
pulumi.export("showLogs", operator.show_logs)
