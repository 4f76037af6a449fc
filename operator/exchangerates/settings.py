"""The environment of the process, read once into a frozen value."""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from exchangerates.addresses import leads_somewhere
from exchangerates.api import API_KEYS, PROVIDERS, Env
from exchangerates.errors import InvalidSpec, SettingsError
from exchangerates.objects import ObjectKey
from exchangerates.spec import MIN_FETCH_INTERVAL_S, Defaults, ExchangeRateSpec, parse_duration, parse_spec

_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_MAX_PORT: Final = 65535
MIN_RESYNC_INTERVAL_S: Final = 10.0
"""Lists cost the API server more than watches."""
_LOG_FORMATS: Final = ("json", "text")
_EXAMPLE: Final = {"currency": "EUR", "base": "EUR"}
_PLACEHOLDER: Final = Defaults("EUR", (), 3600.0, 168 * 3600.0)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the stack decides for one operator.

    Attributes:
        defaults: What objects get for the fields that they leave out, with the chain of rate providers.
        min_fetch_intervals_s: Least seconds between two calls, by provider; the others keep their own.
        max_calls_per_day: Most calls in any 24 hours, by provider; the others have no such limit.
        provider_urls: Root addresses in place of the public ones, by provider.
        api_keys: The API keys by provider, of those that have one; never shown.
        deployment: The operator's own Deployment, or None.
        watch_namespaces: The namespaces to watch; empty for all.
        resync_interval_s: Seconds between two lists of everything.
        install_crd: Whether the operator creates the CRD at start.
        http_host: Where health and metrics are served; empty for all addresses, IPv4 and IPv6.
        http_port: The same; 0 for any free port.
        log_level: The least level that is logged.
        log_format: `json` or `text`.
    """

    defaults: Defaults
    min_fetch_intervals_s: Mapping[str, float]
    max_calls_per_day: Mapping[str, int]
    provider_urls: Mapping[str, str]
    api_keys: Mapping[str, str] = field(repr=False)
    deployment: ObjectKey | None
    watch_namespaces: tuple[str, ...]
    resync_interval_s: float
    install_crd: bool
    http_host: str
    http_port: int
    log_level: str
    log_format: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the variables of `api.Env`; an unset or empty one means its default.

        Raises:
            SettingsError: A variable's value is wrong; all mistakes at once.
        """
        reader = _Reader(environment)
        providers = reader.providers(Env.PROVIDERS, "frankfurter,ecb")
        settings = cls(
            defaults=Defaults(
                base=reader.default(Env.BASE, "base", "EUR").base,
                providers=providers,
                refresh_interval_s=reader.default(Env.REFRESH_INTERVAL, "refreshInterval", "1h").refresh_interval_s,
                max_age_s=reader.default(Env.MAX_AGE, "maxAge", "168h").max_age_s,
            ),
            min_fetch_intervals_s={
                name: reader.checked_seconds(Env.MIN_FETCH_INTERVALS, value, at_least_s=MIN_FETCH_INTERVAL_S)
                for name, value in reader.by_provider(Env.MIN_FETCH_INTERVALS).items()
            },
            max_calls_per_day={
                name: reader.number(Env.MAX_CALLS_PER_DAY, value)
                for name, value in reader.by_provider(Env.MAX_CALLS_PER_DAY).items()
            },
            provider_urls={
                name: reader.root_address(Env.PROVIDER_URLS, url)
                for name, url in reader.by_provider(Env.PROVIDER_URLS).items()
            },
            api_keys=reader.api_keys(providers),
            deployment=reader.object_key(Env.DEPLOYMENT),
            watch_namespaces=reader.words(Env.WATCH_NAMESPACES, ""),
            resync_interval_s=reader.seconds(Env.RESYNC_INTERVAL, "10m", at_least_s=MIN_RESYNC_INTERVAL_S),
            install_crd=reader.choice(Env.INSTALL_CRD, "false", ("true", "false")) == "true",
            http_host=reader.address(Env.HTTP_ADDRESS, ":8080")[0],
            http_port=reader.address(Env.HTTP_ADDRESS, ":8080")[1],
            log_level=reader.choice(Env.LOG_LEVEL, "INFO", _LOG_LEVELS),
            log_format=reader.choice(Env.LOG_FORMAT, "json", _LOG_FORMATS),
        )
        reader.certificates(Env.CA_FILE)
        reader.raise_mistakes()
        return settings


class _Reader:
    """Reads variables and collects the mistakes, so that all are reported at once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._mistakes: dict[str, None] = {}

    def mistake(self, variable: Env, value: str, write: str) -> None:
        self._mistakes[f"{variable}={value!r}: write {write}"] = None

    def raise_mistakes(self) -> None:
        if self._mistakes:
            raise SettingsError("; ".join(self._mistakes))

    def text(self, variable: Env, default: str) -> str:
        return self._environment.get(variable) or default

    def words(self, variable: Env, default: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in self.text(variable, default).split(",") if word.strip())

    def choice(self, variable: Env, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(variable, default)
        if value not in choices:
            self.mistake(variable, value, f"one of {', '.join(choices)}")
        return value

    def seconds(self, variable: Env, default: str, *, at_least_s: float) -> float:
        return self.checked_seconds(variable, self.text(variable, default), at_least_s=at_least_s)

    def checked_seconds(self, variable: Env, value: str, *, at_least_s: float) -> float:
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            self.mistake(variable, value, str(error).rpartition("write ")[2])
            return at_least_s
        if seconds < at_least_s:
            self.mistake(variable, value, f"at least {at_least_s:.0f}s")
        return seconds

    def number(self, variable: Env, value: str) -> int:
        if not re.fullmatch(r"[1-9][0-9]{0,5}", value):
            self.mistake(variable, value, "a number of calls from 1 to 999999")
            return 1
        return int(value)

    def root_address(self, variable: Env, value: str) -> str:
        if value and not (re.match("https?://", value) and leads_somewhere(value)):
            self.mistake(variable, value, "an address such as https://rates.example.com:8443")
        return value.rstrip("/")

    def providers(self, variable: Env, default: str) -> tuple[str, ...]:
        names = self.words(variable, default)
        if not names or not set(names) <= set(PROVIDERS) or len(set(names)) < len(names):
            self.mistake(variable, self.text(variable, default), f"some of {', '.join(PROVIDERS)}, each once")
        return names

    def api_keys(self, providers: tuple[str, ...]) -> dict[str, str]:
        """Read the keys that are there; a provider of the chain needs its own."""
        keys = {name: self.text(variable, "").strip() for name, variable in API_KEYS.items()}
        for name in providers:
            if name in keys and not keys[name]:
                self.mistake(API_KEYS[name], "", f"the API key: {name} is one of the providers")
        return {name: key for name, key in keys.items() if key}

    def by_provider(self, variable: Env) -> dict[str, str]:
        pairs = [word.partition("=") for word in self.words(variable, "")]
        for name, _, value in pairs:
            if name not in PROVIDERS or not value:
                self.mistake(variable, f"{name}={value}", f"name=value with a name of {', '.join(PROVIDERS)}")
        for name in {name for name, _, _ in pairs if [pair[0] for pair in pairs].count(name) > 1}:
            self.mistake(variable, self.text(variable, ""), f"{name} only once")
        return {name: value for name, _, value in pairs}

    def object_key(self, variable: Env) -> ObjectKey | None:
        value = self.text(variable, "")
        if not value:
            return None
        namespace, _, name = value.partition("/")
        if not namespace or not name or "/" in name:
            self.mistake(variable, value, "namespace/name")
        return ObjectKey(namespace, name)

    def address(self, variable: Env, default: str) -> tuple[str, int]:
        value = self.text(variable, default)
        host, colon, port = value.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > _MAX_PORT:
            self.mistake(variable, value, "host:port, or :port for all addresses, such as :8080")
            return "", 0
        return host.strip("[]"), int(port)

    def certificates(self, variable: Env) -> None:
        """Check the file now: `providers.http` reads it for each call."""
        path = self.text(variable, "")
        try:
            if path:
                ssl.create_default_context(cafile=path)
        except OSError:
            self.mistake(variable, path, "the path of a file with certificates in PEM form")

    def default(self, variable: Env, field_name: str, default: str) -> ExchangeRateSpec:
        """Read the default of one field of a spec, by the rules that objects have to keep."""
        text = self.text(variable, default)
        try:
            return parse_spec("defaults", {**_EXAMPLE, field_name: text}, _PLACEHOLDER)
        except InvalidSpec as error:
            self.mistake(variable, text, f"what spec.{field_name} may be ({error})")
            return parse_spec("defaults", _EXAMPLE, _PLACEHOLDER)
