"""Rate providers against a real local HTTP server: what is right is taken to the digit, what is wrong never passes."""

import datetime as dt
import time
from decimal import Decimal

import pytest

from exchangerates.errors import AccessRefused, FetchError
from exchangerates.providers import PROVIDERS, ecb, exchangeratesapi, frankfurter, http
from exchangerates.rates import RateTable
from localcluster.rateserver import Fault, RateServer

TODAY = dt.date(2026, 11, 2)
EVERY = pytest.mark.parametrize("provider", list(PROVIDERS))


def fetch(rates: RateServer, provider: str, key: str | None = None) -> RateTable:
    """Make one call."""
    return PROVIDERS[provider].fetch(rates.url(provider), key or rates.key, TODAY)


def dict_of(table: RateTable) -> dict[str, str]:
    """Give a table's rates as text."""
    return {code: f"{price.rate:f}" for code, price in table.prices.items()}


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "openexchangerates"])
def test_the_ecbs_table_comes_through_to_the_digit(rates: RateServer, provider: str) -> None:
    """All providers with that base agree on the ECB's table of 2026-10-30, with one call each."""
    table = fetch(rates, provider)
    assert {code: str(price.rate) for code, price in table.prices.items()} == dict(rates.table.rates)
    assert {price.date for price in table.prices.values()} == {dt.date(2026, 10, 30)}
    assert table.provider == provider
    direct, cross = table.quote("EUR", "USD"), table.quote("USD", "JPY")
    assert direct is not None
    assert cross is not None
    assert (direct.rate, cross.rate) == ("1.1172", "157.2502685")
    assert rates.calls == {provider: 1}


@EVERY
@pytest.mark.parametrize(
    "fault",
    [
        *(Fault.HTTP_404, Fault.HTTP_422, Fault.HTTP_429, Fault.HTTP_500, Fault.HTTP_503, Fault.RESET),
        *(Fault.REDIRECT_AWAY, Fault.HTML, Fault.TRUNCATED, Fault.WRONG_BASE, Fault.ZERO, Fault.NEGATIVE, Fault.NAN),
        *(Fault.FUTURE, Fault.HUGE),
    ],
)
def test_no_wrong_answer_passes(rates: RateServer, provider: str, fault: Fault) -> None:
    """It is one error, with no address in it, and one call."""
    rates.fail(provider, fault)
    with pytest.raises(FetchError) as caught:
        fetch(rates, provider)
    assert "http" not in str(caught.value)
    assert rates.key not in str(caught.value)
    assert rates.calls == {provider: 1}


@EVERY
def test_what_is_odd_but_right_passes(rates: RateServer, provider: str) -> None:
    """A redirect on the same host, a dropped currency, an exponent; what is rounded to nothing is left out."""
    subject = "EUR" if provider == "openexchangerates" else "USD"
    rates.fail(provider, Fault.REDIRECT)
    assert subject in fetch(rates, provider).prices
    rates.fail(provider, Fault.DROPPED)
    assert subject not in fetch(rates, provider).prices
    rates.fail(provider, Fault.TINY)
    tiny = fetch(rates, provider).prices.get(subject)
    assert (tiny and tiny.rate) == (None if provider == "frankfurter-blended" else Decimal("1e-7"))


@pytest.mark.parametrize("provider", ["frankfurter", "ecb"])
def test_rows_keep_their_own_dates(rates: RateServer, provider: str) -> None:
    """A table need not be of one day."""
    rates.fail(provider, Fault.MIXED_DATES)
    dates = {price.date for price in fetch(rates, provider).prices.values()}
    assert dates == {dt.date(2026, 10, 29), dt.date(2026, 10, 30)}


@EVERY
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DRIP])
def test_a_provider_that_never_ends_is_left(
    rates: RateServer, provider: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence meets the read timeout, a slow drip the deadline."""
    if fault is Fault.HANG:
        monkeypatch.setattr(http, "READ_TIMEOUT_S", 0.2)
    else:
        monkeypatch.setattr(http, "DEADLINE_S", 0.5)
    rates.fail(provider, fault)
    began = time.monotonic()
    with pytest.raises(FetchError, match="timed out"):
        fetch(rates, provider)
    assert time.monotonic() - began < 20


def test_retry_after_is_passed_on(rates: RateServer) -> None:
    """In seconds, in whichever form it is given."""
    rates.fail("ecb", Fault.HTTP_429_RETRY_AFTER)
    with pytest.raises(FetchError) as caught:
        fetch(rates, "ecb")
    assert caught.value.retry_after_s == 3.0
    rates.fail("ecb", Fault.HTTP_503_RETRY_DATE)
    with pytest.raises(FetchError) as caught:
        fetch(rates, "ecb")
    assert caught.value.retry_after_s is not None
    assert 30.0 < caught.value.retry_after_s <= 60.0


@pytest.mark.parametrize(
    ("provider", "fault", "told"),
    [
        pytest.param("exchangeratesapi", Fault.ACCESS_REFUSED, "invalid_access_key", id="the newer envelope"),
        pytest.param("exchangeratesapi", Fault.QUOTA, "usage_limit_reached", id="the older envelope"),
        pytest.param("exchangeratesapi", Fault.HTTP_429, "HTTP 429", id="429"),
        pytest.param("openexchangerates", Fault.ACCESS_REFUSED, "invalid_app_id", id="App ID"),
        pytest.param("openexchangerates", Fault.QUOTA, "HTTP 429", id="quota"),
    ],
)
def test_a_refused_key_and_a_used_up_quota_are_told_apart_from_failures(
    rates: RateServer, provider: str, fault: Fault, told: str
) -> None:
    """Where a plan has few calls, 429 is no passing trouble."""
    rates.fail(provider, fault)
    with pytest.raises(AccessRefused, match=told):
        fetch(rates, provider)


@pytest.mark.parametrize("provider", ["frankfurter", "ecb", "frankfurter-blended"])
def test_too_many_calls_are_no_refusal_where_there_is_no_plan(rates: RateServer, provider: str) -> None:
    """They pass by themselves."""
    rates.fail(provider, Fault.HTTP_429_RETRY_AFTER)
    with pytest.raises(FetchError, match="429") as caught:
        fetch(rates, provider)
    assert not isinstance(caught.value, AccessRefused)
    assert caught.value.retry_after_s == 3.0


def test_a_wrong_key_is_refused_and_not_told(rates: RateServer) -> None:
    """The key is part of the address."""
    with pytest.raises(AccessRefused) as caught:
        fetch(rates, "exchangeratesapi", key="planted-key")
    assert "planted-key" not in str(caught.value)


def test_xml_with_entities_is_refused(rates: RateServer) -> None:
    """Whatever they would expand to."""
    rates.fail("ecb", Fault.ENTITIES)
    with pytest.raises(FetchError, match="document type"):
        fetch(rates, "ecb")


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        pytest.param(frankfurter.parse, b"[]", id="no rows"),
        pytest.param(frankfurter.parse, b'{"rates":{}}', id="no list"),
        pytest.param(frankfurter.parse, b"[1]", id="no objects"),
        pytest.param(frankfurter.parse, b"[" * 100000, id="a deep nest"),
        pytest.param(frankfurter.parse, b'[{"date":"2026-10-30","base":"EUR","quote":"USD","rate":"x"}]', id="text"),
        pytest.param(
            frankfurter.parse, b'[{"date":"2026-10-30","base":"EUR","quote":"USD","rate":true}]', id="a boolean"
        ),
        pytest.param(
            frankfurter.parse,
            b'[{"date":"2026-10-30","base":"EUR","quote":"usd","rate":1.1}]',
            id="no code of the form",
        ),
        pytest.param(frankfurter.parse, b'[{"date":"2026-10-30","base":"EUR","quote":5,"rate":1.1}]', id="a number"),
        pytest.param(frankfurter.parse, b'{"status":422,"message":"invalid currency: ZZZ"}', id="an error"),
        pytest.param(frankfurter.parse, b'[{"date":null,"base":"EUR","quote":"USD","rate":1.1}]', id="no date"),
        pytest.param(ecb.parse, b"", id="no XML"),
        pytest.param(ecb.parse, b"<a/>", id="other XML"),
    ],
)
def test_parsers_refuse_what_is_no_table(parse: object, body: bytes) -> None:
    """With one kind of error."""
    assert callable(parse)
    with pytest.raises(FetchError):
        parse(body, TODAY)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"[]"), (200, b'{"success":true,"base":"EUR"}'), (200, b'{"success":false}'), (200, b"x")],
)
def test_exchangeratesapi_refuses_what_is_no_table(status: int, body: bytes) -> None:
    """An envelope without success or rates."""
    with pytest.raises(FetchError):
        exchangeratesapi.parse(status, body, TODAY)


def test_quotes_that_contradict_their_base_spoil_the_table() -> None:
    """An envelope that says EUR around quotes against another currency would make every rate a wrong one."""
    body = b'{"success":true,"base":"EUR","date":"2026-10-30","rates":{"EUR":%s,"USD":1.1172}}'
    assert exchangeratesapi.parse(200, body % b"1.000000", TODAY).quote("EUR", "USD")
    with pytest.raises(FetchError, match=r"EUR costs 0\.8951 EUR: the quotes are against another base"):
        exchangeratesapi.parse(200, body % b"0.8951", TODAY)


def test_two_different_quotes_for_one_currency_spoil_the_table() -> None:
    """Which one is right cannot be known."""
    row = '{"date":"2026-10-30","base":"EUR","quote":"USD","rate":%s}'
    with pytest.raises(FetchError, match="two different quotes for USD"):
        frankfurter.parse(f"[{row % '1.1'},{row % '1.2'}]".encode(), TODAY)
    with pytest.raises(FetchError, match="the answer has a key twice"):
        frankfurter.parse(f"[{row % '1.1'}]".replace("}", ',"rate":1.2}').encode(), TODAY)
    envelope = b'{"success":true,"base":"EUR","date":"2026-10-30","rates":{"USD":1.1172,"USD":1.2}}'
    with pytest.raises(FetchError, match="the answer has a key twice"):
        exchangeratesapi.parse(200, envelope, TODAY)


def test_openexchangerates_is_crossed_from_the_dollar(rates: RateServer) -> None:
    """Its quotes are direct against the dollar, of the day of its timestamp; all others are derived."""
    table = fetch(rates, "openexchangerates")
    direct, cross = table.quote("USD", "JPY"), table.quote("EUR", "JPY")
    assert direct is not None
    assert cross is not None
    assert (direct.rate, direct.derived, direct.date) == ("157.250269", False, dt.date(2026, 10, 30))
    assert cross.derived
    assert abs(Decimal(cross.rate) - Decimal("175.68")) < Decimal("0.001")
