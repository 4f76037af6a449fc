"""The stack's config: text in, frozen arguments out, and all mistakes at once.

The Pulumi CLI checks types and stops at its first mistake. What it lets through is checked here, before any resource is
registered: each mistake is told with its key, its value and what to write.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret

from exchangerates.api import API_KEYS, PROVIDERS
from exchangerates.errors import InvalidSpec
from exchangerates.spec import MIN_FETCH_INTERVAL_S, parse_duration, parse_spec
from exchangerates_infra import stack_sections
from exchangerates_infra.args import CrdArgs, OperatorArgs, RateArgs
from exchangerates_infra.config_reader import DNS_LABEL, EXAMPLE, ConfigReader
from exchangerates_infra.crd import spec_fields
from exchangerates_infra.project import PROJECT

KEYS: Final = frozenset(
    {
        *("kubeContext", "kubeconfig", "namespace", "baseCurrency", "providers", "refreshInterval", "maxAge"),
        *("minFetchIntervals", "providerUrls", "watchNamespaces", "rates", "waitForRates", "waitForRollout", "image"),
        *("logLevel", "crd", "pod", "proxy", "caBundle", "networkPolicy", "monitoring"),
        *("maxCallsPerDay", *(f"{provider}Key" for provider in API_KEYS)),
    }
)
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
        reader = ConfigReader(values)
        reader.unknown(KEYS)
        context = reader.text("kubeContext", "")
        if not context:
            reader.mistake(
                "kubeContext", context, "the kubeconfig context of this stack's cluster (kubectl config get-contexts)"
            )
        kubeconfig = _kubeconfig(reader, encrypted="kubeconfig" in secrets)
        crd, adopt = stack_sections.crd(reader)
        operator = _operator(reader, secrets, crd, context)
        reader.raise_mistakes()
        return cls(context, kubeconfig, operator, adopt)


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


def _api_key(
    reader: ConfigReader, provider: str, providers: Sequence[str], secrets: AbstractSet[str]
) -> pulumi.Input[str] | None:
    """Give a rate provider's API key as a secret, or None where it is not needed. Its value is in no message."""
    name, needed = f"{provider}Key", provider in providers
    key = reader.text(name, "")
    if key and name not in secrets:
        reader.mistake(name, "(in plain text)", "it encrypted, with `pulumi config set --secret`, and replace the key")
    if needed and not key:
        reader.mistake(name, "", f"the key with `pulumi config set --secret`: {provider} is one of the providers")
    return pulumi.Output.secret(key) if needed and key else None


def _kubeconfig(reader: ConfigReader, *, encrypted: bool) -> pulumi.Input[str] | None:
    """Give the kubeconfig's path, or its content, which is a secret."""
    value = reader.text("kubeconfig", "")
    if _is_content(value) and not encrypted:
        reader.mistake("kubeconfig", "(its content)", "its path, or set it with `pulumi config set --secret`")
    return pulumi.Output.secret(value) if encrypted else value or None


def _is_content(kubeconfig: str) -> bool:
    """Tell a kubeconfig's content, YAML or JSON, from a path."""
    return "\n" in kubeconfig or kubeconfig.lstrip().startswith("{")


def _kubectl(reader: ConfigReader, context: str, *, encrypted: bool) -> str:
    """Give the kubectl that reaches the stack's cluster; what is encrypted is not printed."""
    path = reader.text("kubeconfig", "")
    where = f"kubectl --context {shlex.quote(context)}"
    return where if not path or encrypted else f"{where} --kubeconfig {shlex.quote(path)}"


def _operator(reader: ConfigReader, secrets: AbstractSet[str], crd: CrdArgs, context: str) -> OperatorArgs:
    providers = reader.choices("providers", ["frankfurter", "ecb"], PROVIDERS)
    return OperatorArgs(
        namespace=reader.dns_label("namespace", "exchange-rate-operator"),
        base_currency=reader.field("baseCurrency", "base", "EUR"),
        providers=tuple(providers),
        refresh_interval=reader.field("refreshInterval", "refreshInterval", "1h"),
        max_age=reader.field("maxAge", "maxAge", "168h"),
        min_fetch_intervals=reader.by_provider("minFetchIntervals", "a duration from 1s, such as 8h", _check_interval),
        provider_urls=reader.by_provider("providerUrls", "an address such as https://rates.example.com", _check_url),
        max_calls_per_day=reader.by_provider("maxCallsPerDay", "a number of calls from 1 to 999999", _check_calls),
        api_key=_api_key(reader, "exchangeratesapi", providers, secrets),
        openexchangerates_key=_api_key(reader, "openexchangerates", providers, secrets),
        watch_namespaces=tuple(reader.dns_labels("watchNamespaces")),
        log_level=reader.choice("logLevel", "INFO", _LOG_LEVELS),
        rates=_rates(reader, providers),
        wait_for_rates=reader.boolean("waitForRates", default=True),
        wait_for_rollout=reader.boolean("waitForRollout", default=True),
        image=stack_sections.image(reader),
        crd=crd,
        pod=stack_sections.pod(reader),
        egress=stack_sections.egress(reader),
        network_policy=stack_sections.network_policy(reader),
        monitoring=stack_sections.monitoring(reader),
        kubectl=_kubectl(reader, context, encrypted="kubeconfig" in secrets),
    )


def _rates(reader: ConfigReader, providers: Sequence[str]) -> tuple[RateArgs, ...]:
    rates: list[RateArgs] = []
    watched = reader.dns_labels("watchNamespaces")
    for index, entry in enumerate(reader.items("rates")):
        key = f"rates[{index}]"
        rate = _rate(reader, key, entry, providers)
        if rate is None:
            continue
        if watched and rate.namespace not in watched:
            reader.mistake(f"{key}.namespace", rate.namespace, f"one of watchNamespaces: {', '.join(watched)}")
        if any((rate.namespace, rate.name) == (other.namespace, other.name) for other in rates):
            reader.mistake(f"{key}.name", rate.name, f"another name: namespace {rate.namespace} has it already")
        rates.append(rate)
    return tuple(rates)


def _rate(reader: ConfigReader, key: str, entry: Any, providers: Sequence[str]) -> RateArgs | None:  # noqa: ANN401 - JSON
    """Check one entry by the rules that ExchangeRates have to keep; None where nothing can be made of it."""
    known = ("name", "namespace", *spec_fields())
    if not isinstance(entry, dict) or not entry.keys() <= set(known):
        reader.mistake(key, entry, f"an object with keys of {', '.join(known)}")
        return None
    spec = {field: entry[field] for field in spec_fields() if field in entry}
    if "currencies" in spec and not entry.get("name"):
        reader.mistake(f"{key}.name", "", "a name for the set, such as exchange-rates")
    name = str(entry.get("name") or f"exchange-rate-{str(spec.get('currency')).lower()}")
    try:
        parsed = parse_spec(name, spec, EXAMPLE)
    except InvalidSpec as error:
        # The ConfigMap's name is the object's own, where the entry gives no other.
        default_name = error.field == "target.name" and "name" not in (spec.get("target") or {})
        reader.refused(f"{key}.{'name' if default_name else error.field}", error)
        return None
    if parsed.provider is not None and parsed.provider not in providers:
        reader.mistake(f"{key}.provider", parsed.provider, f"one of this stack's providers: {', '.join(providers)}")
    namespace = entry.get("namespace") or "default"
    if not isinstance(namespace, str) or not DNS_LABEL.fullmatch(namespace):
        reader.mistake(f"{key}.namespace", namespace, "a namespace's name, such as default")
    return RateArgs(name, spec, str(namespace))


def _check_calls(value: str) -> None:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", value):
        raise ValueError(value)


def _check_interval(value: str) -> None:
    if parse_duration(value) < MIN_FETCH_INTERVAL_S:
        raise ValueError(value)


def _check_url(value: str) -> None:
    if not re.fullmatch(r"https?://[^\s,=]+", value):
        raise ValueError(value)
