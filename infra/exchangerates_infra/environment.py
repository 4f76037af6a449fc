"""The environment of the operator's container: its settings, and its way to the rate providers."""

from typing import Final

import pulumi
from pulumi_kubernetes.core.v1 import EnvVarArgs, EnvVarSourceArgs, SecretKeySelectorArgs

from exchangerates.api import API_KEYS, Env
from exchangerates_infra.args import EgressArgs, OperatorArgs
from exchangerates_infra.project import OPERATOR

CA_DIRECTORY: Final = "/etc/exchange-rate-operator/ca"
CA_FILE: Final = "ca.crt"
"""The name of the ConfigMap's entry, and of its file in the directory."""
PROXY_ENTRY: Final = "proxy-credentials"
"""The name of the Secret's entry with the proxies' user and password."""
_PROXY_CREDENTIALS: Final = "PROXY_CREDENTIALS"
_CLUSTER_HOSTS: Final = ("localhost", "127.0.0.1", ".svc", ".cluster.local")
"""What a proxy outside the cluster could not reach: a self-hosted rate provider, for example."""


def variables(args: OperatorArgs) -> list[EnvVarArgs]:
    """Give the container's variables, sorted, so that a second run registers the same.

    Those of the Secret come first: a proxy's address refers to its credentials, and may only to what stands before it.
    """
    values = _settings(args) | _egress(args.egress)
    given = [
        EnvVarArgs(
            name=name, value_from=EnvVarSourceArgs(secret_key_ref=SecretKeySelectorArgs(name=OPERATOR, key=entry))
        )
        for name, (entry, _) in secrets(args).items()
    ]
    # Without empty ones: the API server would drop their values, and each preview would show them anew.
    return [*given, *(EnvVarArgs(name=name, value=value) for name, value in sorted(values.items()) if value)]


def secrets(args: OperatorArgs) -> dict[str, tuple[str, pulumi.Input[str]]]:
    """Give the entries of the Secret, each with its value, by the container's variables that read them."""
    found: dict[str, tuple[str, pulumi.Input[str]]] = {
        str(API_KEYS[provider]): (f"{provider}-key", key) for provider, key in args.api_keys.items()
    }
    if args.egress.proxy_credentials is not None:
        found[_PROXY_CREDENTIALS] = (PROXY_ENTRY, args.egress.proxy_credentials)
    return found


def _settings(args: OperatorArgs) -> dict[str, str]:
    intervals, urls, calls = args.min_fetch_intervals, args.provider_urls, args.max_calls_per_day
    values = {
        Env.BASE: args.base_currency,
        Env.DEPLOYMENT: f"{args.namespace}/{OPERATOR}",
        Env.LOG_LEVEL: args.log_level,
        Env.MAX_AGE: args.max_age,
        Env.MAX_CALLS_PER_DAY: ",".join(f"{name}={calls[name]}" for name in sorted(calls)),
        Env.MIN_FETCH_INTERVALS: ",".join(f"{name}={intervals[name]}" for name in sorted(intervals)),
        Env.PROVIDERS: ",".join(args.providers),
        Env.PROVIDER_URLS: ",".join(f"{name}={urls[name]}" for name in sorted(urls)),
        Env.REFRESH_INTERVAL: args.refresh_interval,
        Env.WATCH_NAMESPACES: ",".join(args.watch_namespaces),
    }
    return {str(name): value for name, value in values.items()}


def _egress(args: EgressArgs) -> dict[str, str]:
    values: dict[str, str] = {}
    if args.https_proxy or args.http_proxy:
        values["HTTPS_PROXY"] = _proxy(args, args.https_proxy)
        values["HTTP_PROXY"] = _proxy(args, args.http_proxy)
        values["NO_PROXY"] = ",".join([*_CLUSTER_HOSTS, *args.no_proxy])
    if args.ca_bundle:
        values[str(Env.CA_FILE)] = f"{CA_DIRECTORY}/{CA_FILE}"
    return values


def _proxy(args: EgressArgs, address: str | None) -> str:
    """Give a proxy's address; the kubelet puts the credentials in, so that the Deployment does not show them."""
    if address is None or args.proxy_credentials is None:
        return address or ""
    scheme, _, place = address.partition("://")
    return f"{scheme}://$({_PROXY_CREDENTIALS})@{place}"
