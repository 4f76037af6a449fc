"""Whatever a rate provider answers: a table of usable quotes comes out of it, or one kind of error."""

import datetime as dt
import functools
import io
import json
import re
import zipfile
from collections.abc import Callable
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchangerates.errors import FetchError
from exchangerates.providers import PROVIDERS, ecb, exchangeratesapi, frankfurter, http, openexchangerates
from exchangerates.rates import MAX_EXPONENT, RateTable
from localcluster.rateserver import formats, table_of

TODAY = dt.date(2026, 11, 2)
DAY = dt.date(2026, 10, 30)
PLAIN = re.compile(r"[0-9]+([.][0-9]+)?")

Parse = Callable[[bytes], RateTable]


def archived(body: bytes) -> RateTable:
    """Read the ECB's archive."""
    with mock.patch.object(http, "get", return_value=(200, body)):
        return ecb.fetch_days("http://ecb", None, [dt.date(2024, 6, 28)], TODAY)[dt.date(2024, 6, 28)]


def zipped(text: bytes) -> bytes:
    """Give an archive with one file."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("eurofxref-hist.csv", text)
    return body.getvalue()


PARSERS: dict[str, tuple[Parse, str]] = {
    "frankfurter": (functools.partial(frankfurter.parse, today=TODAY), "EUR"),
    "ecb": (functools.partial(ecb.parse, today=TODAY), "EUR"),
    "exchangeratesapi": (lambda body: exchangeratesapi.parse(200, body, TODAY), "EUR"),
    "openexchangerates": (lambda body: openexchangerates.parse(200, body, TODAY), "USD"),
}
GOOD = {name: formats.body(name, table_of(DAY), None) for name in PARSERS}
CSV = b"Date,USD,GBP,\n2024-06-28,1.0705,0.84638,\n2024-06-27,1.0696,N/A,\n"


def test_every_parser_is_looked_at() -> None:
    """The blended table has that of the plain one."""
    assert {*PARSERS, "frankfurter-blended"} == set(PROVIDERS)


def check(parse: Parse, base: str, body: bytes, *, said: str | None = None) -> None:
    """Parse, and look at what came out; said is the base that the body is about."""
    try:
        table = parse(body)
    except FetchError:
        return
    assert said in (None, base)
    assert (table.base, bool(table.prices)) == (base, True)
    for code, price in table.prices.items():
        assert re.fullmatch("[A-Z]{3}", code)
        assert price.rate.is_finite()
        assert price.rate > 0
        assert price.date <= TODAY + dt.timedelta(days=1)
        for pair in ((base, code), (code, base), (code, code)):
            quote = table.quote(*pair)
            if pair == (code, base) and quote is None:
                assert abs(price.rate.adjusted()) >= MAX_EXPONENT - 1, "only its inverse may be absurd"
                continue
            assert quote is not None
            assert PLAIN.fullmatch(quote.rate)
            assert float(quote.rate) > 0


numbers = st.one_of(
    st.sampled_from(
        ["0", "-0", "-1.5", "1e-7", "1E400", "1e-400", "NaN", "Infinity", "1_1", "0x1", "1.", ".5", "٣", ""]
    ),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.text(max_size=5),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    numbers,
    st.sampled_from(["EUR", "USD", "usd", "USDC", "2026-10-30", "2026-02-30", "2099-01-01", "true"]),
    st.text(max_size=4),
)
FIELDS = ["date", "base", "quote", "rate", "rates", "success", "timestamp", "error", "code", "message", "EUR", "USD"]
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(FIELDS), st.text(max_size=3)), inner, max_size=6),
    ),
    max_leaves=12,
)


@given(body=st.one_of(st.binary(max_size=200), anything.map(lambda value: json.dumps(value).encode())))
@pytest.mark.parametrize("provider", PARSERS)
def test_anything_is_a_table_or_one_kind_of_error(provider: str, body: bytes) -> None:
    """Bytes and JSON of every shape."""
    check(*PARSERS[provider], body)


mostly_right = st.one_of(st.just("1.1172"), st.decimals("1e-40", "1e40").map(str), numbers, scalars.map(json.dumps))
codes = st.sampled_from(["USD", "USD", "GBP", "KRW", "EUR", "USDC", "usd", ""])
dates = st.sampled_from(
    ['"2026-10-30"', '"2026-10-30"', '"2026-11-03"', '"2026-11-04"', '"2099-01-01"', '"2026-02-30"', '"20261030"', "5"]
)
stamps = st.one_of(st.just("1793372400"), dates, mostly_right)


@settings(max_examples=300)
@given(
    rows=st.lists(st.tuples(codes, mostly_right, dates), min_size=1, max_size=3),
    base=st.sampled_from(["EUR", "USD"]),
    stamp=stamps,
)
def test_right_envelopes_around_almost_right_rows(rows: list[tuple[str, str, str]], base: str, stamp: str) -> None:
    """The providers' own shapes: numbers and dates as they would be written, some of them wrong."""
    listed = ",".join(f'{{"date":{date},"base":"{base}","quote":"{code}","rate":{rate}}}' for code, rate, date in rows)
    mapped = ",".join(f'"{code}":{rate}' for code, rate, _ in rows)
    envelope = f'{{"success":true,"timestamp":{stamp},"base":"{base}","date":{rows[0][2]},"rates":{{{mapped}}}}}'
    cubes = "".join(f"<Cube time={date}><Cube currency='{code}' rate='{rate}'/></Cube>" for code, rate, date in rows)
    check(*PARSERS["frankfurter"], f"[{listed}]".encode(), said=base)
    check(*PARSERS["exchangeratesapi"], envelope.encode(), said=base)
    check(*PARSERS["openexchangerates"], envelope.encode(), said=base)
    check(*PARSERS["ecb"], f"<x xmlns='{ecb.NAMESPACE}'>{cubes}</x>".encode())
    check(archived, "EUR", zipped(f"Date,{rows[0][0]},\n2024-06-28,{rows[0][1]},\n".encode()))


@given(
    place=st.floats(0.0, 1.0),
    length=st.integers(0, 30),
    put=st.one_of(st.binary(max_size=8), numbers.map(lambda text: text.encode())),
)
@pytest.mark.parametrize("provider", PARSERS)
def test_a_damaged_answer_is_a_table_or_one_kind_of_error(provider: str, place: float, length: int, put: bytes) -> None:
    """A real one, of which a part is cut out or replaced."""
    at = int(place * len(GOOD[provider]))
    check(*PARSERS[provider], GOOD[provider][:at] + put + GOOD[provider][at + length :])


@given(text=st.one_of(st.binary(max_size=80), st.text('USD,.0123456789-\n\r"N/A', max_size=80).map(str.encode)))
def test_an_archive_of_anything_is_a_table_or_one_kind_of_error(text: bytes) -> None:
    """Below a header and without one."""
    for content in (text, b"Date,USD,GBP,\n2024-06-28," + text, CSV + text):
        check(archived, "EUR", zipped(content))


@settings(max_examples=300)
@given(place=st.floats(0.0, 1.0), length=st.integers(0, 3), put=st.binary(max_size=2))
def test_a_damaged_archive_is_a_table_or_one_kind_of_error(place: float, length: int, put: bytes) -> None:
    """Every part of a zip file can be wrong."""
    body = zipped(CSV)
    at = int(place * len(body))
    check(archived, "EUR", body[:at] + put + body[at + length :])
