"""The ExchangeRates that an environment always has."""

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from exchangerates.api import API_VERSION, KIND
from exchangerates_infra.args import RateArgs


def exchange_rate(name: str, rate: RateArgs, opts: pulumi.ResourceOptions, *, wait: bool) -> CustomResource:
    """Register an ExchangeRate; an update waits until it is Ready, which a suspended one never is."""
    awaited = wait and not rate.spec.get("suspend", False)
    place = f"{name}-rate-{rate.namespace}"
    former = [f"{place}-{rate.name}"]  # what older versions called it
    if rate.former_name is not None:
        former += [f"{place}/{rate.former_name}", f"{place}-{rate.former_name}"]
    own = pulumi.ResourceOptions(aliases=[pulumi.Alias(name=alias) for alias in former], delete_before_replace=True)
    return CustomResource(
        # Neither part can hold a slash: a hyphen would make team and a-usd the same as team-a and usd.
        f"{place}/{rate.name}",
        api_version=API_VERSION,
        kind=KIND,
        metadata=ObjectMetaArgs(
            name=rate.name,
            namespace=rate.namespace,
            annotations={"pulumi.com/waitFor": "condition=Ready"} if awaited else None,
        ),
        spec=dict(rate.spec),
        opts=pulumi.ResourceOptions.merge(opts, own),
    )
