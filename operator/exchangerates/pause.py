"""Until when a rate provider wants no call at all. Pure: `now` comes in.

A `Retry-After` holds for the whole provider: its newest table and its days that are over share one pause. Other
failures each of the two waits out by itself: what one address lacks, or a plan does not allow, the other may have.
"""

import math
from dataclasses import dataclass
from typing import Final

from exchangerates.errors import FetchError

MAX_RETRY_AFTER_S: Final = 24 * 3600.0
"""The longest `Retry-After` that is kept."""


@dataclass(slots=True)
class Pause:
    """One provider's pause. Times are seconds of any clock that never goes back.

    Attributes:
        until: When it ends.
        error: What asked for it.
    """

    until: float = -math.inf
    error: FetchError | None = None

    def hear(self, error: FetchError, now: float) -> None:
        """Take up what a failed call asked for; a longer pause stays."""
        if error.retry_after_s is not None:
            until = now + min(error.retry_after_s, MAX_RETRY_AFTER_S)
            if until > self.until:
                self.until, self.error = until, error

    def check(self, now: float) -> None:
        """Raise what asked for the pause, while it lasts.

        Raises:
            FetchError: It lasts.
        """
        if self.error is not None and now < self.until:
            raise self.error
