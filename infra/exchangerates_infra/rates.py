"""The ExchangeRates that an environment always has."""

from typing import Final

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from exchangerates.api import API_VERSION, KIND
from exchangerates_infra.args import RateArgs

_READY_WITHIN: Final = "3m"
"""A rate takes seconds, or a minute where the first provider does not answer; Pulumi's own ten tell nobody more."""


def exchange_rate(name: str, rate: RateArgs, opts: pulumi.ResourceOptions, *, wait: bool) -> CustomResource:
    """Register an ExchangeRate; an update waits until it is Ready, which a suspended one never is."""
    awaited = wait and not rate.spec.get("suspend", False)
    place = f"{name}-rate-{rate.namespace}"
    former = [f"{place}-{rate.name}"]  # what older versions called it
    if rate.former_name is not None:
        former += [f"{place}/{rate.former_name}", f"{place}-{rate.former_name}"]
    own = pulumi.ResourceOptions(
        aliases=[pulumi.Alias(name=alias) for alias in former],
        delete_before_replace=True,
        custom_timeouts=pulumi.CustomTimeouts(create=_READY_WITHIN, update=_READY_WITHIN),
    )
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
