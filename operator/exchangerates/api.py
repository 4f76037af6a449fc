"""The names that the operator shares with the cluster, with the Pulumi program and with its users.

Nothing here computes anything; every other module may import it, and it imports none of them.
"""

from enum import StrEnum
from typing import Final

GROUP: Final = "operators.brennerm.github.io"
VERSION: Final = "v1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "ExchangeRate"
PLURAL: Final = "exchangerates"
CRD_NAME: Final = f"{PLURAL}.{GROUP}"

FIELD_MANAGER: Final = "exchange-rate-operator"
"""Field manager of every write, source component of every event, and `app.kubernetes.io/managed-by` of what is made."""

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
"""On every ConfigMap that the operator made, with the value `FIELD_MANAGER`; the operator watches only those."""

REFRESH_ANNOTATION: Final = f"{GROUP}/refresh"
"""On an ExchangeRate: any new value makes the operator look for a newer quote at once. Status shows it once it did."""

APPROVE_ANNOTATION: Final = f"{GROUP}/approve"
"""On an ExchangeRate: exactly the held rate as its value publishes it though it moved more than `maxChangePercent`."""

PROVIDERS: Final = ("frankfurter", "ecb", "exchangeratesapi", "openexchangerates", "frankfurter-blended")
"""The rate providers, by the names that users write: the CRD's enum and the operator's registry equal it."""

PROVIDERS_WITHOUT_HISTORY: Final = ("exchangeratesapi",)
"""Those of them that cannot tell the rate of a day that is over."""


class Key(StrEnum):
    """The keys of a published ConfigMap's data."""

    RATE = "rate"
    BASE = "base"
    CURRENCY = "currency"
    CURRENCIES = "currencies"
    """In place of `currency` where there are several, comma-separated."""
    DATE = "date"
    PROVIDER = "provider"
    DERIVED = "derived"
    PUBLISHED_AT = "publishedAt"
    QUOTE = "quote"
    """The whole quote as one JSON document: its parts are of one moment, however they are read."""


class Condition(StrEnum):
    """The types of an ExchangeRate's conditions."""

    READY = "Ready"
    STALE = "Stale"


class Reason(StrEnum):
    """Every reason that a condition or an event can carry: first what it means, then what to do."""

    PUBLISHED = "Published"
    """The ConfigMap holds the rate for this generation of the spec, and it is not older than `maxAge`."""
    SPIKE_HELD = "SpikeHeld"
    """Ready is True, the rate is good, but a newer quote moved more than `maxChangePercent` and is held back.

    Wait for the next quote, or approve it: the message has the command.
    """
    RATE_TOO_OLD = "RateTooOld"
    """No quote newer than `maxAge` could be had; the ConfigMap keeps the old one, or with `onStale: Withdraw` none.

    Look at the rate provider's metrics and at the operator's log, or give a longer `maxAge`.
    """
    RATE_FRESH = "RateFresh"
    """The published quote is not older than `maxAge`: the reason of Stale, not of Ready."""
    SUSPENDED = "Suspended"
    """`spec.suspend` is true: the ConfigMap is neither refreshed nor repaired, whatever happens to it.

    Set it to false.
    """
    INVALID_SPEC = "InvalidSpec"
    """A spec that the CRD lets through: a label or annotation that Kubernetes does not take, a `date` that is not over.

    Or one that was stored before the CRD refused it, or that is larger than 16 KiB.

    Edit the field that the message names.
    """
    CURRENCY_NOT_SUPPORTED = "CurrencyNotSupported"
    """Every rate provider that may be asked answered, and none quotes the pair.

    Check both codes, or name a rate provider that quotes them.
    """
    PROVIDER_NOT_ENABLED = "ProviderNotEnabled"
    """`spec.provider` names a rate provider that is not in the stack's chain.

    Name one that is, leave it out, or ask the platform team.
    """
    HISTORY_NOT_SUPPORTED = "HistoryNotSupported"
    """`spec.date` is given, and no rate provider that may be asked keeps its history.

    Name another one than `exchangeratesapi`, or leave `date` out.
    """
    PROVIDER_UNAVAILABLE = "ProviderUnavailable"
    """No rate provider that may be asked answered usefully.

    Wait: it is tried again by itself. The message says what each of them answered.
    """
    PROVIDER_REFUSED = "ProviderRefused"
    """The rate provider refused the API key, the plan or the quota.

    The platform team has to look at the account with the provider.
    """
    TARGET_CONFLICT = "TargetConflict"
    """The target ConfigMap exists and belongs to somebody else; it is left untouched.

    Delete or rename it, or set another `target.name`.
    """
    TARGET_REFUSED = "TargetRefused"
    """The API server refused the ConfigMap, in words that the message has; or finalizers keep one that has to be made
    anew.

    Correct what it names: a quota, an admission policy, the finalizers of others.
    """
    INTERNAL_ERROR = "InternalError"
    """An error that nobody foresaw; it is tried again ever more rarely.

    Report it with the traceback in the operator's log.
    """
    INTERVAL_LENGTHENED = "IntervalLengthened"
    """Only as an event on the operator's own Deployment: objects want more calls than `maxCallsPerDay` allows.

    Allow more, or give the objects a longer `refreshInterval`.
    """


READY_REASONS: Final = (Reason.PUBLISHED, Reason.SPIKE_HELD)
"""The reasons with which Ready is True."""


class Env(StrEnum):
    """The environment variables that the Deployment sets and `exchangerates.settings` reads."""

    BASE = "EXCHANGERATES_BASE"
    """Base currency of objects that name none: `EUR`."""
    PROVIDERS = "EXCHANGERATES_PROVIDERS"
    """The chain of rate providers, comma-separated, first choice first: `frankfurter,ecb`."""
    REFRESH_INTERVAL = "EXCHANGERATES_REFRESH_INTERVAL"
    """Refresh interval of objects that name none, a Go duration: `1h`."""
    MAX_AGE = "EXCHANGERATES_MAX_AGE"
    """Age of a quote after which it is stale, for objects that name none, a Go duration: `168h`."""
    MIN_FETCH_INTERVALS = "EXCHANGERATES_MIN_FETCH_INTERVALS"
    """Least time between two calls per rate provider, `name=duration` comma-separated: `exchangeratesapi=8h`."""
    MAX_CALLS_PER_DAY = "EXCHANGERATES_MAX_CALLS_PER_DAY"
    """Most calls in any 24 hours per rate provider, `name=number` comma-separated: `openexchangerates=30`."""
    PROVIDER_URLS = "EXCHANGERATES_PROVIDER_URLS"
    """Root addresses in place of the public ones, `name=url` comma-separated: `ecb=http://127.0.0.1:9000`."""
    EXCHANGERATESAPI_KEY = "EXCHANGERATES_EXCHANGERATESAPI_KEY"
    """The API key of the rate provider `exchangeratesapi`; required when it is in the chain."""
    CA_FILE = "EXCHANGERATES_CA_FILE"
    """A file with certificates, PEM, of private authorities to trust besides the public ones."""
    OPENEXCHANGERATES_KEY = "EXCHANGERATES_OPENEXCHANGERATES_KEY"
    """The App ID of the rate provider `openexchangerates`; required when it is in the chain."""
    DEPLOYMENT = "EXCHANGERATES_DEPLOYMENT"
    """The operator's own Deployment as `namespace/name`, for events about the operator itself; empty for none."""
    WATCH_NAMESPACES = "EXCHANGERATES_WATCH_NAMESPACES"
    """The namespaces to watch, comma-separated; empty means all."""
    INSTALL_CRD = "EXCHANGERATES_INSTALL_CRD"
    """`true` makes the operator create the CRD at start, as `--install-crd` does."""
    RESYNC_INTERVAL = "EXCHANGERATES_RESYNC_INTERVAL"
    """Time between two lists of everything, which find what the watches have missed, a Go duration: `10m`."""
    HTTP_ADDRESS = "EXCHANGERATES_HTTP_ADDRESS"
    """Where `/healthz`, `/readyz` and `/metrics` are served; without a host on all addresses, IPv4 and IPv6."""
    LOG_LEVEL = "EXCHANGERATES_LOG_LEVEL"
    """`DEBUG`, `INFO`, `WARNING` or `ERROR`."""
    LOG_FORMAT = "EXCHANGERATES_LOG_FORMAT"
    """`json` or `text`."""


API_KEYS: Final = {
    "exchangeratesapi": Env.EXCHANGERATESAPI_KEY,
    "openexchangerates": Env.OPENEXCHANGERATES_KEY,
}
"""The variables with the API keys, by the rate providers that want one."""
