"""The NetworkPolicy of the operator's Pod: out to DNS, the API server and the rate providers, in to health and metrics.

It names ports and no addresses: the providers' addresses change, the API server's is not known here, and names are
resolved by a Pod, by an agent of the node or by the node's own resolver. It takes a network plugin that enforces it.
"""

from typing import Final
from urllib.parse import urlsplit

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import (
    NetworkPolicy,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from exchangerates_infra.args import OperatorArgs
from exchangerates_infra.project import OPERATOR
from exchangerates_infra.workload import LABELS, PORT

_PORTS: Final = {"http": 80, "https": 443}
_DNS: Final = 53


def network_policy(name: str, args: OperatorArgs, opts: pulumi.ResourceOptions) -> NetworkPolicy:
    """Register the NetworkPolicy."""
    policy = args.network_policy
    out = [_both({_DNS}), _ports(set(policy.api_server_ports)), _ports(upstream_ports(args))]
    if policy.ports:  # without any, a rule of no ports would open all
        out.append(_both(set(policy.ports)))
    return NetworkPolicy(
        f"{name}-network-policy",
        metadata=ObjectMetaArgs(name=OPERATOR, namespace=args.namespace),
        spec=NetworkPolicySpecArgs(
            pod_selector=LabelSelectorArgs(match_labels=LABELS),
            policy_types=["Ingress", "Egress"],
            # Probes come from the node and metrics from wherever Prometheus is.
            ingress=[NetworkPolicyIngressRuleArgs(ports=_ports({PORT}))],
            egress=[NetworkPolicyEgressRuleArgs(ports=ports) for ports in out],
        ),
        opts=opts,
    )


def upstream_ports(args: OperatorArgs) -> set[int]:
    """Give the ports of the rate providers' addresses and of the proxies; the public addresses are all HTTPS."""
    own = set(args.providers) - set(args.provider_urls)
    urls = [args.provider_urls[name] for name in args.providers if name in args.provider_urls]
    proxies = [proxy for proxy in (args.egress.https_proxy, args.egress.http_proxy) if proxy]
    given = {urlsplit(url).port or _PORTS[urlsplit(url).scheme] for url in [*urls, *proxies]}
    return given | ({_PORTS["https"]} if own else set())


def _ports(numbers: set[int]) -> list[NetworkPolicyPortArgs]:
    return [_port(number, "TCP") for number in sorted(numbers)]


def _both(numbers: set[int]) -> list[NetworkPolicyPortArgs]:
    return [_port(number, protocol) for number in sorted(numbers) for protocol in ("UDP", "TCP")]


def _port(number: int, protocol: str) -> NetworkPolicyPortArgs:
    return NetworkPolicyPortArgs(port=number, protocol=protocol)
