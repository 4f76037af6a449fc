"""What a newly fetched quote makes of what is published."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchangerates import memory, status
from exchangerates.objects import ExchangeRate, ObjectKey
from exchangerates.publication import Held, Publication, approved, decide, move, second_word
from exchangerates.rates import Quote
from exchangerates.spec import ExchangeRateSpec
from exchangerates.target import Target

DAY = dt.date(2026, 10, 30)
NEXT = dt.date(2026, 11, 2)
LATER = dt.date(2026, 11, 3)
BEFORE, NOW_TEXT = "2026-10-30T16:00:00Z", "2026-11-02T16:00:00Z"
NOW = dt.datetime(2026, 11, 2, 16, tzinfo=dt.UTC)
TARGET = Target("money", "rate", labels={}, annotations={})
SPEC = ExchangeRateSpec(("USD",), "EUR", None, 3600.0, 604800.0, suspend=False, target=TARGET)


def quote(rate: str, date: dt.date = DAY, provider: str = "ecb", currency: str = "USD") -> Quote:
    """Give a quote as a provider gives it."""
    return Quote("EUR", currency, rate, date, provider, derived=False)


def published(*quotes: Quote) -> Publication:
    """Give what is published since the day before."""
    return Publication(quotes).published_since(BEFORE)


def test_a_first_quote_is_published_now() -> None:
    """There is nothing to compare it with."""
    assert decide(SPEC, None, (quote("1.1"),), NOW) == Publication((replace(quote("1.1"), since=NOW_TEXT),))


def test_a_newer_or_corrected_quote_takes_the_place_of_the_published() -> None:
    """A later day, or another number of the same day."""
    for new in (quote("1.1", NEXT), quote("1.2")):
        decided = decide(SPEC, published(quote("1.1")), (new,), NOW)
        assert decided.quotes == (new,)
        assert decided.since == NOW_TEXT


def test_an_older_quote_is_never_published() -> None:
    """Whoever gives it."""
    now = published(quote("1.1", NEXT))
    assert decide(SPEC, now, (quote("1.2", DAY, "frankfurter"),), NOW) is now


def test_the_same_rate_under_another_name_changes_nothing() -> None:
    """A fallback that says the same is no reason to write."""
    now = published(quote("1.1"))
    assert decide(SPEC, now, (quote("1.1", provider="frankfurter"),), NOW) is now


def test_quotes_of_one_object_are_published_together() -> None:
    """One that is older keeps all; one that did not change keeps its time."""
    both = replace(SPEC, currencies=("USD", "GBP"))
    now = published(quote("1.1", NEXT), quote("0.8", currency="GBP"))
    assert decide(both, now, (quote("1.2", DAY), quote("0.9", NEXT, currency="GBP")), NOW) is now
    decided = decide(both, now, (quote("1.1", NEXT), quote("0.9", NEXT, currency="GBP")), NOW)
    assert [new.since for new in decided.quotes] == [BEFORE, NOW_TEXT]
    assert (decided.since, decided.date) == (NOW_TEXT, NEXT)


QUIET = replace(SPEC, min_change=Decimal("0.5"))
WARY = replace(SPEC, max_change=Decimal(5))


def test_a_small_move_is_not_published_and_a_large_one_is() -> None:
    """Up or down, and exactly the least move is enough."""
    now = published(quote("1.0000"))
    for rate, is_published in (("1.0049", False), ("0.9951", False), ("1.005", True), ("0.995", True)):
        assert (decide(QUIET, now, (quote(rate, NEXT),), NOW).quotes != now.quotes) is is_published


def test_drift_cannot_creep_past_the_least_move() -> None:
    """Each step is measured from the published rate, not from the quote before."""
    now = published(quote("1.0000"))
    for step in range(1, 5):
        now = decide(QUIET, now, (quote(f"1.00{step}", NEXT + dt.timedelta(days=step)),), NOW)
        assert now.quotes[0].rate == "1.0000"
    assert decide(QUIET, now, (quote("1.005", NEXT + dt.timedelta(days=5)),), NOW).quotes[0].rate == "1.005"


def test_one_large_move_publishes_the_whole_set() -> None:
    """All of one table."""
    both = replace(QUIET, currencies=("USD", "GBP"))
    now = published(quote("1.0"), quote("0.8", currency="GBP"))
    new = (quote("1.001", NEXT), quote("0.9", NEXT, currency="GBP"))
    assert decide(both, now, new, NOW).quotes == new


def test_a_quiet_rate_is_confirmed_only_when_half_its_age_is_gone() -> None:
    """Before that a confirmation is not worth a write to every object."""
    now = published(quote("1.0000"))
    small = (quote("1.0001", NEXT),)
    assert decide(QUIET, now, small, NOW - dt.timedelta(hours=5)).confirmed is None
    later = decide(QUIET, now, small, NOW)
    assert (later.confirmed, later.quotes) == (NEXT, now.quotes)
    assert later.age_s(NOW) == 16 * 3600.0
    assert decide(QUIET, later, (quote("1.0002", NEXT + dt.timedelta(days=1)),), NOW + dt.timedelta(days=2)) == later


def held(*, provider: str = "ecb") -> Publication:
    """Give 1.0 with a spike to 2.0 held back."""
    decided = decide(WARY, published(quote("1.0")), (quote("2.0", NEXT, provider),), NOW)
    assert decided.held is not None
    return decided


def test_a_large_move_is_held_back() -> None:
    """What is published stays; exactly the largest move is not too large."""
    decided = held()
    assert decided.quotes == published(quote("1.0")).quotes
    assert decided.held == Held((quote("2.0", NEXT),), NOW_TEXT, "2.0")
    assert decide(WARY, published(quote("1.0")), (quote("1.05", NEXT),), NOW).held is None


@pytest.mark.parametrize(
    ("new", "is_published"),
    [
        pytest.param(quote("2.0", NEXT), False, id="the same again"),
        pytest.param(quote("2.01", NEXT), False, id="its provider's correction of the same day"),
        pytest.param(quote("2.01", LATER), True, id="a later day"),
        pytest.param(quote("2.01", NEXT, "frankfurter"), True, id="another provider"),
        pytest.param(quote("3.0", LATER), False, id="a later day somewhere else"),
        pytest.param(quote("3.0", NEXT, "frankfurter"), False, id="another provider somewhere else"),
        pytest.param(quote("1.01", LATER), True, id="back to normal"),
    ],
)
def test_a_held_move_is_confirmed_or_not(new: Quote, *, is_published: bool) -> None:
    """By a quote of a later day or of another provider that is about as far away."""
    decided = decide(WARY, held(), (new,), NOW)
    assert (decided.quotes == (new,)) is is_published
    assert (decided.held is None) is is_published


def test_providers_that_disagree_do_not_take_turns() -> None:
    """What is held stays until its own provider or a later day says otherwise: each turn would be a write."""
    first = held()
    assert decide(WARY, first, (quote("3.0", NEXT, "frankfurter"),), NOW) == first
    other = decide(WARY, first, (quote("3.0", LATER, "frankfurter"),), NOW).held
    assert other is not None
    assert other.quotes[0].rate == "3.0"


def test_a_held_move_is_dropped_when_its_provider_takes_it_back() -> None:
    """Another provider that has no quote for that day yet takes nothing back."""
    assert decide(WARY, held(), (quote("1.0"),), NOW).held is None
    assert decide(WARY, held(), (quote("1.0", provider="frankfurter"),), NOW).held is not None


def test_what_is_approved_is_just_what_was_held() -> None:
    """With the time of the approval."""
    assert approved(held(), NOW) == Publication((quote("2.0", NEXT),)).published_since(NOW_TEXT)


def test_a_set_is_held_back_as_a_whole_and_approved_by_the_moves_that_were_too_large() -> None:
    """In the set's order."""
    three = replace(WARY, currencies=("USD", "GBP", "JPY"))
    now = published(quote("1.0"), quote("0.8", currency="GBP"), quote("150", currency="JPY"))
    new = (quote("2.0", NEXT), quote("0.81", NEXT, currency="GBP"), quote("1.5", NEXT, currency="JPY"))
    decided = decide(three, now, new, NOW)
    assert decided.quotes == now.quotes
    assert decided.held is not None
    assert decided.held.approval == "2.0,1.5"


rates = st.decimals(min_value=Decimal("0.0000001"), max_value=Decimal(10**9), places=7).filter(lambda rate: rate > 0)
steps = st.lists(
    st.tuples(rates, st.integers(0, 5), st.sampled_from(["ecb", "frankfurter"]), st.booleans()), min_size=1, max_size=20
)
percents = st.one_of(st.none(), st.decimals(min_value=Decimal("0.01"), max_value=Decimal(1000), places=2))


@settings(max_examples=300)
@given(steps=steps, low=percents, high=percents)
def test_whatever_comes_what_is_published_was_quoted_and_never_gets_older(
    steps: list[tuple[Decimal, int, str, bool]], low: Decimal | None, high: Decimal | None
) -> None:
    """For any sequence of quotes, limits, restarts and approvals; a move that is too far has a second word."""
    spec = replace(SPEC, min_change=low, max_change=high)
    seen: set[Quote] = set()
    now = NOW
    current: Publication | None = None
    body: dict[str, Any] = {}
    key = ObjectKey("default", "money")
    for rate, days, provider, approve in steps:
        now += dt.timedelta(hours=12)
        new = quote(f"{rate:f}", DAY + dt.timedelta(days=days), provider)
        seen.add(new)
        before = current
        is_approved = approve and current is not None and current.held is not None
        current = approved(current, now) if is_approved and current else decide(spec, current, (new,), now)
        assert current.quotes[0] in seen
        assert "E" not in current.quotes[0].rate
        if before is not None and before.quotes != current.quotes:
            assert current.date >= before.date
            far = high is not None and move(before.quotes[0], current.quotes[0]) > high
            assert not far or before.held is not None
        owner = ExchangeRate(key, "uid-1", 1, 1, deleting=False, spec={}, status=body)
        body = status.desired_published(owner, spec, current, now)
        assert memory.published(body, spec) == current
        again = ExchangeRate(key, "uid-1", 1, 1, deleting=False, spec={}, status=body)
        assert status.desired_published(again, spec, current, now + dt.timedelta(minutes=1))["rates"] == body["rates"]


def test_what_is_held_of_an_older_day_than_another_provider_has_published_is_let_go() -> None:
    """A set's rates can be of several days: approved, the held ones would take one of them back."""
    spec = replace(SPEC, currencies=("USD", "GBP"), is_set=True, max_change=Decimal(5))
    before = published(quote("1.10", DAY), quote("0.84", DAY, currency="GBP"))
    spike = (quote("11.0", NEXT), quote("0.84", DAY, currency="GBP"))
    ordinary = (quote("1.11", NEXT, "frankfurter"), quote("0.85", NEXT, "frankfurter", "GBP"))
    held = decide(spec, before, spike, NOW)
    assert held.held is not None
    second = second_word(spec, held, ordinary, NOW)
    assert second.quotes == ordinary
    assert approved(second, NOW).quotes == ordinary
