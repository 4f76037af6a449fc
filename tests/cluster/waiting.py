"""How long a test waits for what is to happen."""

from collections.abc import Callable

from localcluster.processes import wait_until

WITHIN_S = 30.0


def eventually(reached: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    """Poll until something holds."""
    assert wait_until(reached, within_s, poll_s=0.05), f"not within {within_s:.0f} s: {what}"
