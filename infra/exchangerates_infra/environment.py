"""The environment of the operator's container: its settings, and its way to the rate providers."""

from typing import Final

from pulumi_kubernetes.core.v1 import EnvVarArgs, EnvVarSourceArgs, SecretKeySelectorArgs

from exchangerates.api import API_KEYS, Env
from exchangerates_infra.args import EgressArgs, OperatorArgs
from exchangerates_infra.project import OPERATOR

CA_DIRECTORY: Final = "/etc/exchange-rate-operator/ca"
CA_FILE: Final = "ca.crt"
"""The name of the ConfigMap's entry, and of its file in the directory."""
_CLUSTER_HOSTS: Final = ("localhost", "127.0.0.1", ".svc", ".cluster.local")
"""What a proxy outside the cluster could not reach: a self-hosted rate provider, for example."""


def variables(args: OperatorArgs) -> list[EnvVarArgs]:
    """Give the container's variables, sorted, so that a second run registers the same."""
    values = _settings(args) | _egress(args.egress)
    # Without empty ones: the API server would drop their values, and each preview would show them anew.
    given = [EnvVarArgs(name=name, value=value) for name, value in sorted(values.items()) if value]
    for provider in args.api_keys:
        source = EnvVarSourceArgs(secret_key_ref=SecretKeySelectorArgs(name=OPERATOR, key=secret_entry(provider)))
        given.append(EnvVarArgs(name=str(API_KEYS[provider]), value_from=source))
    return given


def secret_entry(provider: str) -> str:
    """Give the name of the Secret's entry with a rate provider's API key."""
    return f"{provider}-key"


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
        values["HTTPS_PROXY"] = args.https_proxy or ""
        values["HTTP_PROXY"] = args.http_proxy or ""
        values["NO_PROXY"] = ",".join([*_CLUSTER_HOSTS, *args.no_proxy])
    if args.ca_bundle:
        values[str(Env.CA_FILE)] = f"{CA_DIRECTORY}/{CA_FILE}"
    return values
