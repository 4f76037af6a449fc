"""Days that are over, from rate providers on a real local HTTP server."""

import datetime as dt
import io
import zipfile
from collections.abc import Mapping

import pytest

from exchangerates.errors import FetchError
from exchangerates.providers import PROVIDERS, ecb, http
from exchangerates.rates import RateTable
from localcluster.rateserver import RateServer, table_of

TODAY = dt.date(2026, 11, 2)


def dict_of(table: RateTable) -> dict[str, str]:
    """Give a table's rates as text."""
    return {code: f"{price.rate:f}" for code, price in table.prices.items()}


def fetch_days(rates: RateServer, provider: str, *days: dt.date) -> Mapping[dt.date, RateTable]:
    """Make one call for days that are over."""
    call = PROVIDERS[provider].fetch_days
    assert call is not None
    return call(rates.url(provider), rates.key, days, TODAY)


@pytest.mark.parametrize("provider", ["frankfurter", "ecb"])
@pytest.mark.parametrize(
    ("day", "quoted", "usd"),
    [
        pytest.param(dt.date(2024, 6, 28), dt.date(2024, 6, 28), "1.0705", id="a working day"),
        pytest.param(dt.date(2024, 6, 30), dt.date(2024, 6, 28), "1.0705", id="a Sunday"),
        pytest.param(dt.date(1999, 1, 4), dt.date(1999, 1, 4), "1.1789", id="the first day"),
        pytest.param(dt.date(2026, 10, 25), dt.date(2026, 10, 23), None, id="a recent Sunday"),
    ],
)
def test_a_past_days_table_is_the_last_one_on_or_before_it(
    rates: RateServer, provider: str, day: dt.date, quoted: dt.date, usd: str | None
) -> None:
    """To the digit and in one call, from the ECB's own archive."""
    table = fetch_days(rates, provider, day)[day]
    assert dict_of(table) == dict(table_of(day).rates)
    assert {price.date for price in table.prices.values()} == {quoted}
    assert usd in (None, f"{table.prices['USD'].rate:f}")
    assert rates.calls == {provider: 1}


@pytest.mark.parametrize(
    "days",
    [
        pytest.param([dt.date(2026, 10, 25), *(dt.date(2026, 10, day) for day in range(1, 31))], id="the 90 days"),
        pytest.param([dt.date(2026, 10, 25), *(dt.date(year, 7, 1) for year in range(1999, 2027))], id="the archive"),
    ],
)
def test_one_download_of_the_ecb_gives_every_day(rates: RateServer, days: list[dt.date]) -> None:
    """Old and new ones together from the archive, new ones alone from the smaller file."""
    tables = fetch_days(rates, "ecb", *days)
    assert {day: dict_of(table) for day, table in tables.items()} == {day: dict(table_of(day).rates) for day in days}
    assert rates.calls == {"ecb": 1}


def archive(*lines: str) -> bytes:
    """Give an archive of a table."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as made:
        made.writestr("eurofxref-hist.csv", "\n".join(lines))
    return body.getvalue()


@pytest.mark.parametrize("body", [b"", b"PK", b"<html></html>", archive("Date,USD", "2024-06-28,1.1\r2")])
def test_an_archive_that_is_none_is_refused(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one kind of error."""
    monkeypatch.setattr(http, "get", lambda *_: (200, body))
    with pytest.raises(FetchError, match="broken"):
        ecb.fetch_days("http://ecb", None, [dt.date(2024, 6, 28)], TODAY)


def test_a_day_that_cannot_be_read_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails where it is the one that was called for; a day before all others has no table."""
    good, bad, none = dt.date(2024, 6, 28), dt.date(2024, 6, 27), dt.date(1998, 1, 1)
    body = archive("Date,USD,GBP,", "2024-06-28,1.0705,N/A,", "2024-06-27,zero,0.8,")
    monkeypatch.setattr(http, "get", lambda *_: (200, body))
    tables = ecb.fetch_days("http://ecb", None, [good, bad, none], TODAY)
    assert {day: dict_of(table) for day, table in tables.items()} == {good: {"USD": "1.0705"}}
    with pytest.raises(FetchError, match="quote for USD is not usable"):
        ecb.fetch_days("http://ecb", None, [bad, good], TODAY)
    with pytest.raises(FetchError, match="no quotes"):
        ecb.fetch_days("http://ecb", None, [none, good], TODAY)


def test_a_past_day_of_openexchangerates_is_crossed_from_the_dollar(rates: RateServer) -> None:
    """As its newest table is."""
    day = dt.date(2024, 6, 28)
    assert dict_of(fetch_days(rates, "openexchangerates", day)[day])["EUR"] == "0.934143"
