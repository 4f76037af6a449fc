"""Everything that can go wrong on the way from a rate provider to a ConfigMap.

    ExchangeRateError
    ├── ReconcileError            ends one pass; has a condition reason, and says when to look again
    │   ├── InvalidSpec           the object's owner has to edit it
    │   ├── Suspended             the object's owner wants nothing to be done
    │   ├── CurrencyNotSupported  every asked provider answered, none quotes the pair
    │   ├── ProviderNotEnabled    the object pins a provider that the stack did not enable
    │   ├── HistoryNotSupported   no provider that may be asked keeps its history
    │   ├── ProviderUnavailable   no provider answered usefully; tried again by itself
    │   ├── ProviderRefused       the key or the plan was refused; somebody has to act
    │   ├── TargetConflict        the target ConfigMap belongs to somebody else
    │   └── TargetRefused         the API server refused the ConfigMap
    ├── OwnerGone                 the object, or its namespace, is gone or going: nothing is to be done any more
    ├── FetchError                one call to one rate provider failed; `rate_tables` turns it into one of the above
    │   ├── AccessRefused         the provider refused the key, the plan or the quota
    │   └── OutOfBudget           the provider has had its calls of the last 24 hours
    ├── FetchUnderWay             the rates are on their way: the pass is made again when they are there
    ├── FetchedBefore             it is too early for another call; what is published is as new as may be
    ├── ApiError                  the API server answered with an error
    │   └── ApiUnreachable        the API server did not answer, or there was no token to ask it with
    └── StartError                the process ends with this text and a non-zero code
        ├── SettingsError         the environment is wrong
        ├── CredentialsError      there are none for an API server, or they cannot be used
        └── CrdMissing            the API server does not know the kind

Only `reconcile` ends a ReconcileError and an OwnerGone, `lookup` a FetchedBefore, `controller` an ApiError and a
FetchUnderWay, `rate_tables` a FetchError, `__main__` a StartError.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final

from exchangerates.api import Reason

if TYPE_CHECKING:
    import asyncio  # costs the Pulumi program's start nothing

MAX_MESSAGE_CHARS = 1000
"""Of what the API server says."""


class ExchangeRateError(Exception):
    """The root: what this package raises on purpose."""


class StartError(ExchangeRateError):
    """The process cannot work and ends. The text says why, and what to do."""


class SettingsError(StartError):
    """The environment of the process is wrong. The text names the variable, its value, and what to write."""


class CredentialsError(StartError):
    """There are no credentials for an API server, or they cannot be used. The text is free of secrets."""


class CrdMissing(StartError):
    """The API server does not know the kind."""


class OwnerGone(ExchangeRateError):
    """The object, or its namespace, is gone or going."""


class FetchError(ExchangeRateError):
    """One call to one rate provider failed.

    The text is short, stable over repetitions, and free of addresses: they can hold an API key.

    Attributes:
        retry_after_s: What the provider's `Retry-After` asked for, in seconds, or None.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AccessRefused(FetchError):
    """The provider refused the key, the plan or the quota: asking again soon would not help."""


class OutOfBudget(FetchError):
    """The provider has had its calls of the last 24 hours."""

    def __init__(self, wait_s: float, limit: int) -> None:
        super().__init__(f"its calls of a day are used up (maxCallsPerDay: {limit})", retry_after_s=wait_s)


class FetchUnderWay(ExchangeRateError):
    """A rate provider is being asked; who needs its answer comes again when the call has ended.

    Attributes:
        call: The call; its end may be a failure too.
        soon_s: How long it may well be waited for in place, in seconds.
    """

    def __init__(self, call: "asyncio.Task[None]", soon_s: float = 0.0) -> None:
        super().__init__(call.get_name())
        self.call = call
        self.soon_s = soon_s


class FetchedBefore(ExchangeRateError):
    """An earlier process has called the provider so recently that another call is too early.

    Attributes:
        usable_s: Seconds until a call is allowed.
    """

    def __init__(self, usable_s: float) -> None:
        super().__init__(f"not before {usable_s:.0f} s from now")
        self.usable_s = usable_s


class ReconcileError(ExchangeRateError):
    """Ends one pass over one object. The text goes into the object's Ready condition.

    Attributes:
        retry_after_s: Seconds until the next pass is worth it, or None for the object's own backoff.
    """

    reason: ClassVar[Reason] = Reason.INTERNAL_ERROR

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class InvalidSpec(ReconcileError):
    """A field of the spec is not what the CRD would accept today.

    Attributes:
        field: The field's path below `spec`, such as `refreshInterval`.
    """

    reason = Reason.INVALID_SPEC

    def __init__(self, field: str, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"spec.{field}: {message}", retry_after_s=retry_after_s)
        self.field = field


class Suspended(ReconcileError):
    """The object's owner wants nothing to be done."""

    reason = Reason.SUSPENDED


class CurrencyNotSupported(ReconcileError):
    """No asked provider quotes the pair."""

    reason = Reason.CURRENCY_NOT_SUPPORTED


class ProviderNotEnabled(ReconcileError):
    """The object pins a provider that the stack did not enable."""

    reason = Reason.PROVIDER_NOT_ENABLED


class HistoryNotSupported(ReconcileError):
    """The object wants the rate of one day, and no provider that may be asked keeps its history."""

    reason = Reason.HISTORY_NOT_SUPPORTED


class ProviderUnavailable(ReconcileError):
    """No provider of the chain answered usefully."""

    reason = Reason.PROVIDER_UNAVAILABLE


class ProviderRefused(ReconcileError):
    """Every provider that could have quoted the pair refused the key, the plan or the quota."""

    reason = Reason.PROVIDER_REFUSED


class TargetConflict(ReconcileError):
    """The target ConfigMap belongs to somebody else."""

    reason = Reason.TARGET_CONFLICT


class TargetRefused(ReconcileError):
    """The API server refused to write the ConfigMap for a reason that a person has to look at."""

    reason = Reason.TARGET_REFUSED


_OUTAGES: Final = (0, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)


class ApiError(ExchangeRateError):
    """The API server answered with an error.

    Attributes:
        status: The HTTP status code.
        causes: The reasons in the answer's `details.causes`.
        fields: The fields in the answer's `details.causes`, such as `metadata.uid`.
    """

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        # It repeats what was sent, however much that was.
        message = str(body.get("message") or body.get("reason") or "no message")[:MAX_MESSAGE_CHARS]
        super().__init__(f"HTTP {status}: {message}")
        self.status = status
        # Not only API servers answer: what a gateway puts there has any shape.
        details = body.get("details")
        found = details.get("causes") if isinstance(details, Mapping) else ()
        causes = [cause for cause in found if isinstance(cause, Mapping)] if isinstance(found, list) else []
        self.causes = frozenset(str(cause.get("reason")) for cause in causes)
        self.fields = frozenset(str(cause.get("field")) for cause in causes)

    @property
    def is_outage(self) -> bool:
        """Whether it says something of the API server, or of the operator's rights, and nothing of one object."""
        return self.status in _OUTAGES or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class ApiUnreachable(ApiError):
    """The API server did not answer: no connection, a cut one, or silence. The status is 0."""

    def __init__(self, message: str) -> None:
        super().__init__(0, {"message": message})

    def __str__(self) -> str:
        return str(self.args[0]).removeprefix("HTTP 0: ")
