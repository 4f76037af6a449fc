"""The stack's config: text in, frozen arguments out, and all mistakes at once.

The Pulumi CLI checks types and stops at its first mistake. What it lets through is checked here, before any resource is
registered: each mistake is told with its key, its value and what to write.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret

from exchangerates.addresses import leads_somewhere
from exchangerates.api import API_KEYS, PROVIDERS
from exchangerates.spec import MIN_FETCH_INTERVAL_S, parse_duration
from exchangerates_infra import stack_rates, stack_sections
from exchangerates_infra.args import CrdArgs, OperatorArgs
from exchangerates_infra.config_reader import ConfigReader
from exchangerates_infra.project import PROJECT

KEYS: Final = frozenset(
    {
        *("kubeContext", "kubeconfig", "namespace", "baseCurrency", "providers", "refreshInterval", "maxAge"),
        *("minFetchIntervals", "providerUrls", "watchNamespaces", "rates", "waitForRates", "waitForRollout", "image"),
        *("logLevel", "crd", "pod", "proxy", "caBundle", "networkPolicy", "monitoring"),
        *("createNamespace", "proxyCredentials", "maxCallsPerDay", *(f"{provider}Key" for provider in API_KEYS)),
    }
)
_CLUSTERS_OWN: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
_HOME: Final = "~/"
_ADDRESS: Final = "an address such as https://rates.example.com, without user and password: the Deployment shows it"
_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class StackConfig:
    """A valid stack config.

    Attributes:
        kube_context: The kubeconfig context of the stack's cluster.
        kubeconfig: The kubeconfig's path or its content, a secret then; None for the usual places.
        operator: The component's arguments, without the providers.
        adopt_crd: Whether a CustomResourceDefinition that is there already is taken up.
    """

    kube_context: str
    kubeconfig: pulumi.Input[str] | None
    operator: OperatorArgs
    adopt_crd: bool

    @classmethod
    def parse(cls, values: Mapping[str, str], secrets: AbstractSet[str] = frozenset()) -> "StackConfig":
        """Check a stack's values and resolve their defaults.

        Args:
            values: The stack's values as text, by key without the project's name; objects and lists are JSON.
            secrets: The keys whose values are encrypted in the stack file.

        Raises:
            StackConfigError: Anything is wrong.
        """
        reader = ConfigReader(values, secrets)
        reader.unknown_keys(KEYS)
        context = reader.text("kubeContext", "")
        if not context:
            reader.mistake(
                "kubeContext", context, "the kubeconfig context of this stack's cluster (kubectl config get-contexts)"
            )
        encrypted = "kubeconfig" in secrets
        kubeconfig = _kubeconfig(reader, encrypted=encrypted)
        crd, adopt = stack_sections.crd(reader)
        operator = _operator(reader, secrets, crd, context)
        reader.raise_mistakes()
        return cls(context, pulumi.Output.secret(kubeconfig) if encrypted else kubeconfig or None, operator, adopt)


def stack_values() -> dict[str, str]:
    """Give the running stack's values by key, the project's own only."""
    return {
        key.removeprefix(f"{PROJECT}:"): value
        for key, value in {**get_config_env(), **CONFIG.get()}.items()
        if key.startswith(f"{PROJECT}:")
    }


def secret_keys(values: Mapping[str, str]) -> frozenset[str]:
    """Give those of the running stack's keys whose values are encrypted."""
    return frozenset(key for key in values if is_config_secret(f"{PROJECT}:{key}"))


def _namespace(reader: ConfigReader) -> str:
    """Give the operator's own namespace: what comes with every cluster is nobody's own."""
    value = reader.dns_label("namespace", "exchange-rate-operator")
    if value in _CLUSTERS_OWN:
        reader.mistake("namespace", value, "a namespace for the operator alone, such as exchange-rate-operator")
    return value


def _api_key(reader: ConfigReader, provider: str, providers: Sequence[str]) -> str | None:
    """Give a rate provider's API key, or None where it is not needed. Its value is in no message."""
    name, needed = f"{provider}Key", provider in providers
    key = reader.encrypted(name)
    if needed and not key:
        reader.mistake(name, "", f"the key with `pulumi config set --secret`: {provider} is one of the providers")
    return key if needed and key else None


def _kubeconfig(reader: ConfigReader, *, encrypted: bool) -> str:
    """Give the kubeconfig's path, or its content, which has to be encrypted; empty for the usual places."""
    value = reader.text("kubeconfig", "")
    if _is_content(value):
        if not encrypted:
            reader.mistake("kubeconfig", "(its content)", "its path, or set it with `pulumi config set --secret`")
    elif value and not (Path(value).is_absolute() or value.startswith(_HOME)):
        reader.mistake("kubeconfig", value, "an absolute path, or ~/ and what follows: the program runs in infra/")
    return value


def _is_content(kubeconfig: str) -> bool:
    """Tell a kubeconfig's content, YAML or JSON, from a path."""
    return "\n" in kubeconfig or kubeconfig.lstrip().startswith("{")


def _kubectl(reader: ConfigReader, context: str, *, encrypted: bool) -> str:
    """Give the kubectl that reaches the stack's cluster; what is encrypted is not printed."""
    path = reader.text("kubeconfig", "")
    where = f"kubectl --context {shlex.quote(context)}"
    # Without quotes around ~/, which no shell would expand in them; behind the option it is a word of its own.
    quoted = f"{_HOME}{shlex.quote(path.removeprefix(_HOME))}" if path.startswith(_HOME) else shlex.quote(path)
    return where if not path or encrypted else f"{where} --kubeconfig {quoted}"


def _operator(reader: ConfigReader, secrets: AbstractSet[str], crd: CrdArgs, context: str) -> OperatorArgs:
    providers = reader.choices("providers", ["frankfurter", "ecb"], PROVIDERS)
    return OperatorArgs(
        namespace=_namespace(reader),
        create_namespace=reader.boolean("createNamespace", default=True),
        base_currency=reader.field("baseCurrency", "base", "EUR"),
        providers=tuple(providers),
        refresh_interval=reader.field("refreshInterval", "refreshInterval", "1h"),
        max_age=reader.field("maxAge", "maxAge", "168h"),
        min_fetch_intervals=reader.by_provider("minFetchIntervals", "a duration from 1s, such as 8h", _check_interval),
        provider_urls=reader.by_provider("providerUrls", _ADDRESS, _check_url),
        max_calls_per_day=reader.by_provider("maxCallsPerDay", "a number of calls from 1 to 999999", _check_calls),
        api_key=_api_key(reader, "exchangeratesapi", providers),
        openexchangerates_key=_api_key(reader, "openexchangerates", providers),
        watch_namespaces=tuple(reader.dns_labels("watchNamespaces")),
        log_level=reader.choice("logLevel", "INFO", _LOG_LEVELS),
        rates=stack_rates.rates(reader, providers),
        wait_for_rates=reader.boolean("waitForRates", default=True),
        wait_for_rollout=reader.boolean("waitForRollout", default=True),
        image=stack_sections.image(reader),
        crd=crd,
        pod=stack_sections.pod(reader),
        egress=stack_sections.egress(reader, secrets),
        network_policy=stack_sections.network_policy(reader),
        monitoring=stack_sections.monitoring(reader),
        kubectl=_kubectl(reader, context, encrypted="kubeconfig" in secrets),
    )


def _check_calls(value: str) -> None:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", value):
        raise ValueError(value)


def _check_interval(value: str) -> None:
    if parse_duration(value) < MIN_FETCH_INTERVAL_S:
        raise ValueError(value)


def _check_url(value: str) -> None:
    if not re.fullmatch(r"https?://[^\s,=@]+", value) or not leads_somewhere(value):
        raise ValueError(value)
