"""What of two things that were published is the later one."""

from typing import Any

import pytest

from exchangerates import memory


def told(date: str, published_at: str, *, currency: str = "USD", base: str = "EUR") -> dict[str, Any]:
    """Give what a status tells of one rate."""
    rate = {"currency": currency, "rate": "1.1", "date": date, "derived": False, "publishedAt": published_at}
    return {"base": base, "provider": "ecb", "rates": [rate]}


NOW, JUMPED = "2026-11-26T12:00:00Z", "2027-12-31T12:00:00Z"


@pytest.mark.parametrize(
    ("other", "status", "later"),
    [
        pytest.param(
            told("2026-06-10", NOW), told("2026-06-09", JUMPED), True, id="a newer day, after a clock was back"
        ),
        pytest.param(told("2026-06-09", JUMPED), told("2026-06-10", NOW), True, id="an older day, published later"),
        pytest.param(told("2026-06-09", NOW), told("2026-06-10", JUMPED), False, id="an older day, published before"),
        pytest.param(told("2026-06-10", NOW), told("2026-06-10", JUMPED), False, id="the same day, published before"),
        pytest.param(told("2026-06-10", NOW), told("2026-06-10", NOW), False, id="the same"),
        pytest.param(
            told("2026-06-10", NOW, currency="GBP"), told("2026-06-09", JUMPED), False, id="another pair's newer day"
        ),
        pytest.param(
            told("2026-06-10", NOW, base="CHF"), told("2026-06-09", JUMPED), False, id="another base's newer day"
        ),
        pytest.param(told("2026-06-10", NOW), {}, True, id="nothing is told"),
        pytest.param(
            told("2026-06-10", NOW),
            {"provider": "ecb", "rates": [{"publishedAt": JUMPED}]},
            False,
            id="something is told that nobody can read",
        ),
    ],
)
def test_the_later_one_is_known_also_where_a_clock_has_jumped(
    other: dict[str, Any], status: dict[str, Any], *, later: bool
) -> None:
    """The day of a pair's quotes never goes back; the time of day of a machine may."""
    assert memory.is_later(other, status) is later
