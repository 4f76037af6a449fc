"""The stack's config: text in, frozen arguments out, and all mistakes at once.

The Pulumi CLI checks types and stops at its first mistake. What it lets through is checked here, before any resource is
registered: each mistake is told with its key, its value and what to write.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from exchangerates.api import PROVIDERS, Env
from exchangerates.errors import InvalidSpec
from exchangerates.spec import Defaults, parse_duration, parse_spec
from exchangerates_infra.args import ImageArgs, OperatorArgs, RateArgs

PROJECT: Final = "exchange-rate-operator"
KEYS: Final = frozenset(
    {
        *("kubeContext", "kubeconfig", "namespace", "baseCurrency", "providers", "refreshInterval", "maxAge"),
        *("minFetchIntervals", "providerUrls", "watchNamespaces", "rates", "waitForRates", "waitForRollout", "image"),
        *("logLevel", "manageCrd", "retainCrd", "exchangeratesapiKey"),
    }
)
_IMAGE_KEYS: Final = ("ref", "repository", "tag", "platforms", "builder", "baseImage")
_SPEC_KEYS: Final = ("currency", "base", "provider", "refreshInterval", "maxAge", "target")
_RATE_KEYS: Final = ("name", "namespace", *_SPEC_KEYS)
_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_EXAMPLE: Final = Defaults("EUR", PROVIDERS, 3600.0, 168 * 3600.0)


class StackConfigError(pulumi.RunError):
    """The stack's config has mistakes; the text lists them all."""


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
    def parse(cls, values: Mapping[str, str], *, secret_key: pulumi.Input[str] | None) -> "StackConfig":
        """Check a stack's values and resolve their defaults.

        Args:
            values: The stack's values as text, by key without the project's name; objects and lists are JSON.
            secret_key: The value of `exchangeratesapiKey`, still secret.

        Raises:
            StackConfigError: Anything is wrong.
        """
        reader = _Reader(values)
        providers = reader.choices("providers", ["frankfurter", "ecb"], PROVIDERS)
        reader.unknown(values.keys() - KEYS)
        context = reader.text("kubeContext", "")
        if not context:
            reader.mistake(
                "kubeContext", context, "the kubeconfig context of this stack's cluster (kubectl config get-contexts)"
            )
        if "exchangeratesapi" in providers and secret_key is None:
            reader.mistake(
                "exchangeratesapiKey",
                "",
                "the API key, with `pulumi config set --secret`: exchangeratesapi is a provider",
            )
        operator = OperatorArgs(
            namespace=reader.dns_label("namespace", "exchange-rate-operator"),
            environment=_environment(reader, providers),
            watch_namespaces=tuple(reader.dns_labels("watchNamespaces")),
            rates=_rates(reader, providers),
            image=_image(reader),
            api_key=secret_key if "exchangeratesapi" in providers else None,
            wait_for_rates=reader.boolean("waitForRates", default=True),
            wait_for_rollout=reader.boolean("waitForRollout", default=True),
            manage_crd=reader.boolean("manageCrd", default=True),
            retain_crd=reader.boolean("retainCrd", default=False),
        )
        reader.raise_mistakes()
        return cls(context, reader.text("kubeconfig", "") or None, operator)


def stack_values() -> dict[str, str]:
    """Give the running stack's values by key, the project's own only."""
    from pulumi.runtime.config import CONFIG, get_config_env  # noqa: PLC0415 - the SDK has no public way to list keys

    return {
        key.removeprefix(f"{PROJECT}:"): value
        for key, value in {**get_config_env(), **CONFIG.get()}.items()
        if key.startswith(f"{PROJECT}:")
    }


def _environment(reader: "_Reader", providers: Sequence[str]) -> dict[str, str]:
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


def _rates(reader: "_Reader", providers: Sequence[str]) -> tuple[RateArgs, ...]:
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
            parsed = parse_spec(name, spec, _EXAMPLE)
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


def _image(reader: "_Reader") -> ImageArgs:
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


class _Reader:
    """Reads values and collects the mistakes."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._mistakes: dict[str, None] = {}

    def mistake(self, key: str, value: object, write: str) -> None:
        shown = value if isinstance(value, str) else json.dumps(value)
        self._mistakes[f"{PROJECT}:{key}: {shown!r}: write {write}"] = None

    def unknown(self, keys: set[str]) -> None:
        for key in sorted(keys):
            self._mistakes[f"{PROJECT}:{key}: no such key; known are {', '.join(sorted(KEYS))}"] = None

    def raise_mistakes(self) -> None:
        if self._mistakes:
            listed = "\n".join(f"  - {mistake}" for mistake in self._mistakes)
            raise StackConfigError(f"Pulumi.<stack>.yaml needs these corrections, nothing was changed:\n{listed}")

    def text(self, key: str, default: str) -> str:
        return str(self._values.get(key) or default)

    def boolean(self, key: str, *, default: bool) -> bool:
        return self.choice(key, str(default).lower(), ("true", "false")) == "true"

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        value = self.text(key, default)
        if value not in choices:
            self.mistake(key, value, f"one of {', '.join(choices)}")
        return value

    def field(self, key: str, field: str, default: str) -> str:
        """Read a default for one field of a spec, by the rules that objects have to keep."""
        value = self.text(key, default)
        try:
            parse_spec("defaults", {"currency": "EUR", field: value}, _EXAMPLE)
        except InvalidSpec as error:
            self.mistake(key, value, str(error).partition(": ")[2].partition("write ")[2] or str(error))
        return value

    def dns_label(self, key: str, default: str) -> str:
        value = self.text(key, default)
        if not _DNS_LABEL.fullmatch(value):
            self.mistake(key, value, "a namespace's name: lower-case letters, digits and '-', at most 63")
        return value

    def dns_labels(self, key: str) -> list[str]:
        names = self.items(key)
        if not all(isinstance(name, str) and _DNS_LABEL.fullmatch(name) for name in names) or len(set(names)) < len(
            names
        ):
            self.mistake(key, names, "namespaces' names, each once")
            return []
        return names

    def choices(self, key: str, default: list[str], choices: Sequence[str]) -> list[str]:
        names = self.items(key) if self._values.get(key) else default
        texts = [name for name in names if isinstance(name, str)]
        if not names or not set(texts) <= set(choices) or len(set(texts)) < len(names):
            self.mistake(key, names, f"some of {', '.join(choices)}, each once")
        return texts

    def items(self, key: str) -> list[Any]:
        value = self._json(key, [])
        if not isinstance(value, list):
            self.mistake(key, value, "a list")
            return []
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        value = self._json(key, {})
        if not isinstance(value, dict):
            self.mistake(key, value, "an object")
            return {}
        return value

    def by_provider(self, key: str, what: str, check: Callable[[str], object]) -> dict[str, str]:
        values = self.mapping(key)
        for name, value in values.items():
            if name not in PROVIDERS:
                self.mistake(f"{key}.{name}", value, f"it below one of {', '.join(PROVIDERS)}")
            try:
                check(str(value))
            except ValueError:
                self.mistake(f"{key}.{name}", value, what)
        return {name: str(value) for name, value in values.items()}

    def _json(self, key: str, default: object) -> Any:  # noqa: ANN401 - JSON is what it is
        text = self._values.get(key)
        if not text:
            return default
        try:
            return json.loads(text)
        except ValueError:
            self.mistake(key, text, "JSON, or set it as a list or an object in the stack file")
            return default
