"""The status: what users and `kubectl wait` read, and what the operator remembers by."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from exchangerates import memory, status
from exchangerates.errors import CurrencyNotSupported, ProviderUnavailable, Suspended, TargetRefused
from exchangerates.objects import ExchangeRate, ObjectKey
from exchangerates.publication import Publication
from exchangerates.rates import Quote
from exchangerates.spec import ExchangeRateSpec
from exchangerates.target import Target

NOW = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=1)
SINCE = "2026-11-02T12:00:00Z"
QUOTE = Quote("EUR", "USD", "1.1172", dt.date(2026, 10, 30), "ecb", derived=False, since=SINCE)
PUBLISHED = Publication((QUOTE,))
TARGET = Target("exchange-rate-usd", "rate", labels={}, annotations={})
SPEC = ExchangeRateSpec(("USD",), "EUR", None, 3600.0, 168 * 3600.0, suspend=False, target=TARGET)


def owner(observed: dict[str, Any] | None = None, *, generation: int = 1) -> ExchangeRate:
    """Give an ExchangeRate with a status."""
    key = ObjectKey("default", "exchange-rate-usd")
    return ExchangeRate(key, "uid-1", 1, generation, deleting=False, spec={"currency": "USD"}, status=observed or {})


def asking(request: str, observed: dict[str, Any] | None = None) -> ExchangeRate:
    """Give an ExchangeRate with a refresh annotation."""
    return replace(owner(observed), refresh_request=request)


def ready(body: dict[str, Any]) -> dict[str, Any]:
    """Give the Ready condition."""
    (found,) = [condition for condition in body["conditions"] if condition["type"] == "Ready"]
    return dict(found)


def test_a_published_rate_is_ready_and_complete() -> None:
    """Rate, date, base, provider and ConfigMap, for this generation."""
    body = status.desired_published(owner(generation=3), SPEC, PUBLISHED, NOW)
    published = {"rate": "1.1172", "date": "2026-10-30", "derived": False, "publishedAt": "2026-11-02T12:00:00Z"}
    assert body["rates"] == [{"currency": "USD", **published}]
    assert (body["base"], body["provider"], body["configMapName"]) == ("EUR", "ecb", "exchange-rate-usd")
    assert body["observedGeneration"] == 3
    assert (ready(body)["status"], ready(body)["reason"], ready(body)["observedGeneration"]) == ("True", "Published", 3)


def test_the_same_pass_again_writes_nothing() -> None:
    """Time alone changes nothing."""
    body = status.desired_published(owner(), SPEC, PUBLISHED, NOW)
    assert status.patch_to(body, status.desired_published(owner(body), SPEC, PUBLISHED, LATER)) is None


def test_the_time_of_publication_is_read_back_with_the_quote() -> None:
    """A status from before there was one is not written for it: since when it is published is not known."""
    body = status.desired_published(owner(), SPEC, PUBLISHED, NOW)
    assert memory.last_publication(body) == ("ecb", NOW)
    del body["rates"][0]["publishedAt"]
    assert memory.last_publication(body) is None
    read = memory.published(body, SPEC)
    assert read is not None
    assert read.since is None
    assert status.patch_to(body, status.desired_published(owner(body), SPEC, read, LATER)) is None


def test_a_transition_time_moves_only_when_the_status_flips() -> None:
    """Another rate keeps it, a failure moves it."""
    body = status.desired_published(owner(), SPEC, PUBLISHED, NOW)
    other = Quote("EUR", "USD", "1.2", QUOTE.date, "ecb", derived=False)
    assert (
        ready(status.desired_published(owner(body), SPEC, Publication((other,)), LATER))["lastTransitionTime"] == SINCE
    )
    failed = status.desired_failed(owner(body), SPEC, CurrencyNotSupported("no"), LATER)
    assert ready(failed)["lastTransitionTime"] == "2026-11-02T13:00:00Z"


@pytest.mark.parametrize(("days", "is_ready"), [(0, "True"), (3, "True"), (4, "False")])
def test_a_rate_that_is_too_old_is_not_ready(days: int, is_ready: str) -> None:
    """Age counts from the start of the quote's own day: six and a half days are within a week, seven and a half not."""
    body = status.desired_published(owner(), SPEC, PUBLISHED, NOW + dt.timedelta(days=days))
    assert ready(body)["status"] == is_ready
    stale = next(condition for condition in body["conditions"] if condition["type"] == "Stale")
    assert stale["status"] != is_ready
    assert body["rates"][0]["rate"] == "1.1172"


def test_what_was_published_is_read_back() -> None:
    """The status is the memory over restarts."""
    body = status.desired_published(owner(), SPEC, PUBLISHED, NOW)
    assert memory.published(body, SPEC) == PUBLISHED


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(replace(SPEC, currencies=("GBP",), base="EUR", provider=None), id="another currency"),
        pytest.param(replace(SPEC, currencies=("USD",), base="GBP", provider=None), id="another base"),
        pytest.param(replace(SPEC, currencies=("USD",), base="EUR", provider="frankfurter"), id="another provider"),
    ],
)
def test_a_rate_for_another_spec_is_never_used(spec: ExchangeRateSpec) -> None:
    """Neither to publish nor to show after a failure."""
    body = status.desired_published(owner(), SPEC, PUBLISHED, NOW)
    assert memory.published(body, spec) is None
    failed = status.desired_failed(owner(body), spec, ProviderUnavailable("down"), NOW)
    assert "rates" not in failed
    assert (status.patch_to(body, failed) or {})["rates"] is None


@pytest.mark.parametrize(
    "damage",
    [
        {"rates": [{"currency": "USD", "rate": "0", "date": "2026-10-30"}]},
        {"rates": [{"currency": "USD", "rate": "NaN", "date": "2026-10-30"}]},
        {"rates": [{"currency": "USD", "rate": "1.1", "date": "yesterday"}]},
        {"rates": [{"currency": "USD"}]},
        {"rates": "1.1"},
        {"base": None},
    ],
    ids=str,
)
def test_a_damaged_status_is_no_rate(damage: dict[str, Any]) -> None:
    """What somebody wrote there by hand is not published."""
    body = status.desired_published(owner(), SPEC, PUBLISHED, NOW)
    assert memory.published({**body, **damage}, SPEC) is None


def test_what_answers_this_spec_is_not_told_as_a_former_ones() -> None:
    """It is in the status; what answers another is in the message alone."""
    body, holds = status.desired_published(owner(), SPEC, PUBLISHED, NOW), "ConfigMap x holds EUR to USD"
    failed = status.desired_failed(owner(body), SPEC, CurrencyNotSupported("no"), NOW, holds=holds)
    assert (ready(failed)["message"], failed["rates"]) == ("no", body["rates"])
    other = replace(SPEC, currencies=("GBP",))
    failed = status.desired_failed(owner(body), other, CurrencyNotSupported("no"), NOW, holds=holds)
    assert ready(failed)["message"] == f"no. What was published before is still there: {holds}"
    assert "rates" not in failed


def test_an_outage_whose_text_changes_writes_once() -> None:
    """Ten thousand objects are not written because a provider fails in another way."""
    first = status.desired_failed(owner(), SPEC, ProviderUnavailable("HTTP 500"), NOW)
    second = status.desired_failed(owner(first), SPEC, ProviderUnavailable("timed out"), LATER)
    assert status.patch_to(first, second) is None


def test_a_changed_spec_is_told_of_in_its_own_words() -> None:
    """Not in those of the pair that was wanted before, though the reason is the same."""
    first = status.desired_failed(owner(), SPEC, ProviderUnavailable("no quote for EUR/USD"), NOW)
    changed = owner(first, generation=2)
    second = status.desired_failed(changed, replace(SPEC, currencies=("GBP",)), ProviderUnavailable("EUR/GBP"), LATER)
    assert (ready(second)["message"], ready(second)["observedGeneration"]) == ("EUR/GBP", 2)
    assert ready(second)["lastTransitionTime"] == SINCE


def test_a_refusal_is_told_in_its_newest_words() -> None:
    """Only an outage has moods; what a person has to look at is told as it is."""
    first = status.desired_failed(owner(), SPEC, TargetRefused("quota"), NOW)
    second = status.desired_failed(owner(first), SPEC, TargetRefused("policy"), LATER)
    assert ready(second)["message"] == "policy"


@pytest.mark.parametrize(("days", "is_stale"), [(3, "False"), (8, "True")])
def test_a_rate_gets_stale_while_passes_fail(days: int, is_stale: str) -> None:
    """It still is what the ConfigMap holds."""
    body = status.desired_published(owner(), SPEC, PUBLISHED, NOW)
    failed = status.desired_failed(owner(body), SPEC, TargetRefused("no"), NOW + dt.timedelta(days=days))
    (stale,) = [condition for condition in failed["conditions"] if condition["type"] == "Stale"]
    assert (stale["status"], ready(failed)["reason"]) == (is_stale, "TargetRefused")
    assert failed["rates"] == body["rates"]


def test_a_refresh_on_demand_is_acknowledged_once() -> None:
    """With the value that asked for it and the time; the same value again changes nothing."""
    body = status.desired_published(asking("1"), SPEC, PUBLISHED, NOW, refreshed=True)
    assert body["lastRefresh"] == {"request": "1", "time": "2026-11-02T12:00:00Z"}
    again = status.desired_published(asking("1", body), SPEC, PUBLISHED, LATER, refreshed=True)
    assert status.patch_to(body, again) is None
    other = status.desired_published(asking("2", body), SPEC, PUBLISHED, LATER, refreshed=True)
    assert other["lastRefresh"] == {"request": "2", "time": "2026-11-02T13:00:00Z"}


def test_a_repair_acknowledges_no_refresh() -> None:
    """Nothing was looked for; and what was acknowledged stays when the annotation goes."""
    assert "lastRefresh" not in status.desired_published(asking("1"), SPEC, PUBLISHED, NOW)
    body = status.desired_published(asking("1"), SPEC, PUBLISHED, NOW, refreshed=True)
    assert status.desired_published(owner(body), SPEC, PUBLISHED, LATER, refreshed=True) == body


def test_a_failed_look_is_acknowledged_and_a_suspended_object_is_not_looked_at() -> None:
    """The conditions say how it ended."""
    failed = status.desired_failed(asking("1"), SPEC, ProviderUnavailable("no"), NOW, refreshed=True)
    assert failed["lastRefresh"]["request"] == "1"
    assert "lastRefresh" not in status.desired_failed(asking("1"), SPEC, Suspended("no"), NOW, refreshed=True)
