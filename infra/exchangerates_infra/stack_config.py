"""The stack's config: text in, frozen arguments out, and all mistakes at once.

The Pulumi CLI checks types and stops at its first mistake. What it lets through is checked here, before any resource is
registered: each mistake is told with its key, its value and what to write.
"""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret

from exchangerates.api import PROVIDERS, Env
from exchangerates.errors import InvalidSpec
from exchangerates.spec import parse_duration, parse_spec
from exchangerates_infra.args import ImageArgs, OperatorArgs, RateArgs
from exchangerates_infra.config_reader import EXAMPLE, ConfigReader
from exchangerates_infra.project import PROJECT

KEYS: Final = frozenset(
    {
        *("kubeContext", "kubeconfig", "namespace", "baseCurrency", "providers", "refreshInterval", "maxAge"),
        *("minFetchIntervals", "providerUrls", "watchNamespaces", "rates", "waitForRates", "waitForRollout", "image"),
        *("logLevel", "manageCrd", "retainCrd", "exchangeratesapiKey"),
    }
)
_API_KEY: Final = "exchangeratesapiKey"
_IMAGE_KEYS: Final = ("ref", "repository", "tag", "platforms", "builder", "baseImage")
_SPEC_KEYS: Final = ("currency", "base", "provider", "refreshInterval", "maxAge", "target")
_RATE_KEYS: Final = ("name", "namespace", *_SPEC_KEYS)
_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class StackConfig:
    """A valid stack config.

    Attributes:
        kube_context: The kubeconfig context of the stack's cluster.
        kubeconfig: Path of the kubeconfig file, or None for the usual places.
        operator: The component's arguments.
    """

    kube_context: str
    kubeconfig: str | None
    operator: OperatorArgs

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
        providers = reader.choices("providers", ["frankfurter", "ecb"], PROVIDERS)
        reader.unknown(KEYS)
        context = reader.text("kubeContext", "")
        if not context:
            reader.mistake(
                "kubeContext", context, "the kubeconfig context of this stack's cluster (kubectl config get-contexts)"
            )
        operator = OperatorArgs(
            namespace=reader.dns_label("namespace", "exchange-rate-operator"),
            environment=_environment(reader, providers),
            watch_namespaces=tuple(reader.dns_labels("watchNamespaces")),
            rates=_rates(reader, providers),
            image=_image(reader),
            api_key=_api_key(reader, needed="exchangeratesapi" in providers, encrypted=_API_KEY in secrets),
            wait_for_rates=reader.boolean("waitForRates", default=True),
            wait_for_rollout=reader.boolean("waitForRollout", default=True),
            manage_crd=reader.boolean("manageCrd", default=True),
            retain_crd=reader.boolean("retainCrd", default=False),
        )
        reader.raise_mistakes()
        return cls(context, reader.text("kubeconfig", "") or None, operator)


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


def _api_key(reader: ConfigReader, *, needed: bool, encrypted: bool) -> pulumi.Input[str] | None:
    """Give the API key as a secret, or None where no rate provider needs it. Its value is in no message."""
    key = reader.text(_API_KEY, "")
    if key and not encrypted:
        reader.mistake(
            _API_KEY, "(in plain text)", "it encrypted, with `pulumi config set --secret`, and replace the key"
        )
    if needed and not key:
        reader.mistake(
            _API_KEY, "", "the key with `pulumi config set --secret`: exchangeratesapi is one of the providers"
        )
    return pulumi.Output.secret(key) if needed and key else None


def _environment(reader: ConfigReader, providers: Sequence[str]) -> dict[str, str]:
    """Give the operator's settings, sorted, so that a second run registers the same."""
    intervals = reader.by_provider("minFetchIntervals", "a duration such as 8h", parse_duration)
    urls = reader.by_provider("providerUrls", "an address such as https://rates.example.com", _check_url)
    return {
        Env.BASE: reader.field("baseCurrency", "base", "EUR"),
        Env.LOG_LEVEL: reader.choice("logLevel", "INFO", _LOG_LEVELS),
        Env.MAX_AGE: reader.field("maxAge", "maxAge", "168h"),
        Env.MIN_FETCH_INTERVALS: ",".join(f"{name}={intervals[name]}" for name in sorted(intervals)),
        Env.PROVIDERS: ",".join(providers),
        Env.PROVIDER_URLS: ",".join(f"{name}={urls[name]}" for name in sorted(urls)),
        Env.REFRESH_INTERVAL: reader.field("refreshInterval", "refreshInterval", "1h"),
        Env.WATCH_NAMESPACES: ",".join(reader.dns_labels("watchNamespaces")),
    }


def _rates(reader: ConfigReader, providers: Sequence[str]) -> tuple[RateArgs, ...]:
    rates: list[RateArgs] = []
    watched = reader.dns_labels("watchNamespaces")
    for index, entry in enumerate(reader.items("rates")):
        key = f"rates[{index}]"
        if not isinstance(entry, dict) or not set(entry) <= set(_RATE_KEYS):
            reader.mistake(key, entry, f"an object with keys of {', '.join(_RATE_KEYS)}")
            continue
        spec = {name: entry[name] for name in _SPEC_KEYS if name in entry}
        name = str(entry.get("name") or f"exchange-rate-{str(spec.get('currency')).lower()}")
        rate = RateArgs(name, str(entry.get("namespace") or "default"), spec)
        try:
            parsed = parse_spec(name, spec, EXAMPLE)
        except InvalidSpec as error:
            reader.mistake(
                f"{key}.{error.field}", spec.get(error.field.partition(".")[0]), str(error).partition(": ")[2]
            )
            continue
        if parsed.provider is not None and parsed.provider not in providers:
            reader.mistake(f"{key}.provider", parsed.provider, f"one of this stack's providers: {', '.join(providers)}")
        if watched and rate.namespace not in watched:
            reader.mistake(f"{key}.namespace", rate.namespace, f"one of watchNamespaces: {', '.join(watched)}")
        if any((rate.namespace, rate.name) == (other.namespace, other.name) for other in rates):
            reader.mistake(f"{key}.name", rate.name, f"another name: namespace {rate.namespace} has it already")
        rates.append(rate)
    return tuple(rates)


def _image(reader: ConfigReader) -> ImageArgs:
    raw = reader.mapping("image")
    if not set(raw) <= set(_IMAGE_KEYS):
        reader.mistake("image", raw, f"an object with keys of {', '.join(_IMAGE_KEYS)}")
        return ImageArgs()
    platforms = raw.get("platforms") or []
    texts = [raw[key] for key in _IMAGE_KEYS if key in raw and key != "platforms"]
    if not isinstance(platforms, list) or not all(isinstance(text, str) for text in [*texts, *platforms]):
        reader.mistake("image", raw, "text for every key, and a list of texts for platforms")
        return ImageArgs()
    if platforms and not raw.get("repository"):
        reader.mistake("image.platforms", platforms, "a repository too: only a pushed image can have several platforms")
    return ImageArgs(
        ref=raw.get("ref"),
        repository=raw.get("repository"),
        tag=raw.get("tag") or "latest",
        platforms=tuple(platforms),
        builder=raw.get("builder"),
        base_image=raw.get("baseImage"),
    )


def _check_url(value: str) -> None:
    if not re.fullmatch(r"https?://[^\s,=]+", value):
        raise ValueError(value)
