"""The ways in which rate providers fail."""

from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """What the stand-in does instead of answering well."""

    HTTP_404 = "404"
    HTTP_422 = "422"
    HTTP_429 = "429"
    HTTP_429_RETRY_AFTER = "429-retry-after"
    HTTP_500 = "500"
    HTTP_503 = "503"
    HTTP_503_RETRY_DATE = "503-retry-date"
    """With a `Retry-After` in its form of a date, a minute ahead."""
    ACCESS_REFUSED = "access-refused"
    """HTTP 401, exchangeratesapi's with its newer error envelope."""
    QUOTA = "quota"
    """exchangeratesapi's HTTP 200 with its older error envelope, code 104; openexchangerates' HTTP 429."""
    HANG = "hang"
    RESET = "reset"
    REDIRECT = "redirect"
    """To another path of the same host, where the good answer is."""
    REDIRECT_AWAY = "redirect-away"
    """To another host name, where the good answer would be."""
    HTML = "html"
    TRUNCATED = "truncated"
    WRONG_BASE = "wrong-base"
    ZERO = "zero"
    NEGATIVE = "negative"
    NAN = "nan"
    TINY = "tiny"
    """A rate of 1e-7 for USD: legal, and with an exponent."""
    DROPPED = "dropped"
    """Without USD."""
    MIXED_DATES = "mixed-dates"
    """Every second row is dated a day earlier."""
    FUTURE = "future"
    """Dated a week ahead of today."""
    ENTITIES = "entities"
    """XML that declares a document type with an entity."""
    HUGE = "huge"
    DRIP = "drip"
    """A byte now and then, for ever."""


RETRY_AFTER_S: Final = 3
"""What `HTTP_429_RETRY_AFTER` asks for."""
RETRY_DATE_S: Final = 60
"""What `HTTP_503_RETRY_DATE` asks for."""

USD_REPLACED: Final = {Fault.ZERO: "0", Fault.NEGATIVE: "-1.5", Fault.NAN: "NaN", Fault.TINY: "1e-7"}
STATUS: Final = {
    Fault.HTTP_404: 404,
    Fault.HTTP_422: 422,
    Fault.HTTP_429: 429,
    Fault.HTTP_429_RETRY_AFTER: 429,
    Fault.HTTP_500: 500,
    Fault.HTTP_503: 503,
    Fault.HTTP_503_RETRY_DATE: 503,
}
