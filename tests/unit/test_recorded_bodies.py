"""What rate providers really answered, as public projects have recorded it, and what becomes of it.

Each body names its source. The tables are cut to some of their quotes, with the digits and the order of the source; the
providers' texts about their terms are left out.
"""

import datetime as dt

import pytest

from exchangerates.errors import AccessRefused, FetchError
from exchangerates.providers import frankfurter, http, openexchangerates
from exchangerates.rates import RateTable

TODAY = dt.date(2026, 11, 2)


def dict_of(table: RateTable) -> dict[str, str]:
    """Give a table's rates as text."""
    return {code: f"{price.rate:f}" for code, price in table.prices.items()}


# https://github.com/phpeso/openexchangerates-service, tests/data/2025-06-13.json (MIT): that day's `/api/historical/`
HISTORICAL = b"""{"disclaimer": "-", "license": "-", "timestamp": 1749859178, "base": "USD", "rates": {
  "AED": 3.6724, "ANG": 1.79, "AOA": 917, "BBD": 2, "BTC": 0.000009423639, "EUR": 0.865838, "GBP": 0.737191,
  "JPY": 144.11, "KWD": 0.306211, "LBP": 89600, "USD": 1, "VND": 26075.647664, "XAU": 0.00029125, "XDR": 0.705737}}"""

# https://github.com/smeevil/open_exchange_rates, fixture/vcr_cassettes/client/get_latest.json (MIT): recorded on
# 2016-08-06 with `Content-Type: application/json; charset=utf-8`
LATEST = b"""{"disclaimer": "-", "license": "-", "timestamp": 1470486903, "base": "USD", "rates": {
  "AED": 3.673037, "BTC": 0.001756905738, "EUR": 0.902, "SLL": 5500, "USD": 1, "VND": 22339.166667}}"""


def test_openexchangerates_digits_are_published_as_they_are() -> None:
    """Whole numbers without decimals, small ones without an exponent; the day is that of the timestamp."""
    table = openexchangerates.parse(200, HISTORICAL, TODAY)
    dollars = "AED 3.6724 ANG 1.79 AOA 917 BBD 2 BTC 0.000009423639 EUR 0.865838 GBP 0.737191 JPY 144.11 KWD 0.306211"
    more = "LBP 89600 VND 26075.647664 XAU 0.00029125 XDR 0.705737"
    assert " ".join(f"{code} {rate}" for code, rate in dict_of(table).items()) == f"{dollars} {more}"
    assert {price.date for price in table.prices.values()} == {dt.date(2025, 6, 13)}
    latest = openexchangerates.parse(200, LATEST, TODAY)
    assert (len(latest.prices), latest.prices["SLL"].date) == (5, dt.date(2016, 8, 6))


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        # https://docs.openexchangerates.org/reference/errors
        pytest.param(401, b'{"error":true,"status":401,"message":"invalid_app_id","description":"-"}', AccessRefused),
        # https://github.com/spk/money-open-exchange-rates, test/data/app_id_inactive.json (MIT)
        pytest.param(401, b'{"error":true,"status":401,"message":"app_id_inactive","description":"-"}', AccessRefused),
        # https://github.com/phpeso/openexchangerates-service, tests/data/latest-php-free.json (MIT)
        pytest.param(403, b'{"error":true,"status":403,"message":"not_allowed","description":"-"}', AccessRefused),
        # https://github.com/spk/money-open-exchange-rates, test/data/access_restricted_error.json (MIT); an HTTP 429
        # does not get here
        pytest.param(200, b'{"error":true,"status":429,"message":"access_restricted"}', AccessRefused),
        # the answer to a day that is not there, as in many clients' tests
        pytest.param(400, b'{"error":true,"status":400,"message":"not_available","description":"-"}', FetchError),
        pytest.param(404, b'{"error":true,"status":404,"message":"not_found","description":"-"}', FetchError),
        # https://github.com/smeevil/open_exchange_rates, fixture/vcr_cassettes/client/api_error.json (MIT)
        pytest.param(401, b'{"description": "Something went horribly wrong!"}', AccessRefused),
        pytest.param(400, b'{"error":true,"message":["invalid_app_id"]}', FetchError, id="no text"),
        pytest.param(200, b'{"timestamp":1449877801,"base":"USD"}', FetchError, id="no rates"),
        pytest.param(200, b'{"timestamp":"x","base":"USD","rates":{"AED":3.672538}}', FetchError, id="no time"),
        pytest.param(200, b'{"timestamp":1e30,"base":"USD","rates":{"AED":3.672538}}', FetchError, id="far ahead"),
        pytest.param(200, b'{"timestamp":-1e30,"base":"USD","rates":{"AED":3.672538}}', FetchError, id="far back"),
    ],
)
def test_openexchangerates_errors(status: int, body: bytes, error: type[Exception]) -> None:
    """Refused App IDs, plans and quotas are told apart from failures."""
    with pytest.raises(error) as caught:
        openexchangerates.parse(status, body, TODAY)
    assert isinstance(caught.value, AccessRefused) is (error is AccessRefused)


# https://github.com/NPM-Workbench/frankfurter-api-client-v2, README.md (MIT): `/v2/rates?base=EUR` in April 2026. The
# row of the base in itself has the form that https://github.com/lineofflight/frankfurter shows in
# lib/public/v2/openapi.json (MIT), that of gold is what its lib/roundable.rb leaves of it.
BLENDED = b"""[{"date": "2026-04-29", "base": "EUR", "quote": "AED", "rate": 4.2989},
  {"date": "2026-04-28", "base": "EUR", "quote": "AFN", "rate": 75.35},
  {"date": "2026-04-29", "base": "EUR", "quote": "EUR", "rate": 1.0},
  {"date": "2026-04-29", "base": "EUR", "quote": "XAU", "rate": 0.00024}]"""


def test_frankfurters_rows_keep_their_own_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base in itself is no quote; gold, of which the rounding leaves two digits, is left out."""
    monkeypatch.setattr(http, "get", lambda *_: (200, BLENDED))
    table = frankfurter.fetch_blended("http://frankfurter", None, TODAY)
    assert dict_of(table) == {"AED": "4.2989", "AFN": "75.35"}
    assert (table.prices["AED"].date, table.prices["AFN"].date) == (dt.date(2026, 4, 29), dt.date(2026, 4, 28))
    cross = table.quote("AED", "AFN")
    assert cross is not None
    assert (cross.rate, cross.date, cross.derived) == ("17.52773965", dt.date(2026, 4, 28), True)
    day = dt.date(2026, 4, 29)
    assert dict_of(frankfurter.fetch_blended_days("http://frankfurter", None, [day], TODAY)[day]) == dict_of(table)


# Banks publish codes that are none of ISO 4217: https://github.com/lineofflight/frankfurter,
# lib/provider/adapters/bna.rb names `XDRUSD`, the money gem that it reads codes with `USDC`.
ODD = b"""[{"date": "2026-04-29", "base": "EUR", "quote": "XDRUSD", "rate": 0},
  {"date": "2026-04-29", "base": "EUR", "quote": "USDC", "rate": 1.1},
  {"date": "2026-04-29", "base": "EUR", "quote": "USD", "rate": 1.17}]"""


def test_a_code_that_nobody_can_ask_for_does_not_cost_the_others_their_rates() -> None:
    """Its own quote is not looked at."""
    assert dict_of(frankfurter.parse(ODD, TODAY)) == {"USD": "1.17"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        # https://github.com/florianv/exchanger, tests/Fixtures/Service/Frankfurter/error_invalid_currency.json (MIT)
        pytest.param(422, b'{"status": 422, "message": "invalid currency: ZZZ"}', id="a currency"),
        # https://github.com/lineofflight/frankfurter, lib/versions/v2.rb (MIT)
        pytest.param(404, b'{"status": 404, "message": "not found"}', id="a path"),
        pytest.param(200, b"[]", id="a day without quotes"),
    ],
)
def test_frankfurters_errors_are_failures(status: int, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is a table, and none a refusal."""
    monkeypatch.setattr(http, "get", lambda *_: (status, body))
    with pytest.raises(FetchError) as caught:
        frankfurter.fetch("http://frankfurter", None, TODAY)
    assert not isinstance(caught.value, AccessRefused)
