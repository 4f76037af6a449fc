"""An answer whose content is to do harm, whoever sent it: it costs a failed call, and no more."""

import datetime as dt
import io
import json
import zipfile
from collections.abc import Callable

import pytest
from tests.unit.scripted import assert_refused_within

from exchangerates.errors import FetchError
from exchangerates.providers import ecb, exchangeratesapi, frankfurter, http, openexchangerates
from exchangerates.rates import RateTable

TODAY = dt.date(2026, 11, 2)
DAY = dt.date(2024, 6, 28)
MAX_MEMORY = 200 * 1024 * 1024
"""Of the 384 MiB that the stack gives to the operator; itself it takes less than 120."""
PART = 4
"""Memory is counted slowly: of this part of the largest answer no more than this part of the memory may be made."""
CUBE = f"<x xmlns='{ecb.NAMESPACE}'>"


def archive(text: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Give an archive of a history."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as made:
        made.writestr("eurofxref-hist.csv", text)
    return body.getvalue()


NUMBERS = ["1E999999999", "-1E999999999", "1E-999999999", f"1E{'9' * 30}", "9" * 100_000, f"0.{'0' * 100_000}1"]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12])
def test_a_number_of_any_size_is_an_error_at_once(number: str) -> None:
    """As a rate, and as the time of the quotes: Python would work at 10 to the power of a billion for days."""
    listed = f'[{{"date":"2026-10-30","base":"EUR","quote":"USD","rate":{number}}}]'.encode()
    mapped = '{{"success":true,"timestamp":{},"base":"{}","date":"2026-10-30","rates":{{"GBP":{}}}}}'
    calls: list[Callable[[], RateTable]] = [
        lambda: frankfurter.parse(listed, TODAY),
        lambda: exchangeratesapi.parse(200, mapped.format(1, "EUR", number).encode(), TODAY),
        lambda: openexchangerates.parse(200, mapped.format(1793372400, "USD", number).encode(), TODAY),
    ]
    for call in calls:
        with pytest.raises(FetchError):
            call()
    try:  # a second after 1970, or none
        table = openexchangerates.parse(200, mapped.format(number, "USD", 1.1).encode(), TODAY)
    except FetchError:
        return
    assert table.prices["GBP"].date == dt.date(1970, 1, 1)


DOCTYPES = [
    '<!DOCTYPE x [<!ENTITY a "b">]><x/>',
    '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
    '<!DOCTYPE x PUBLIC "-//x" "http://127.0.0.1/x.dtd"><x/>',
    '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1/x"> %p;]><x/>',
    "<!DOCTYPE x><x/>",
]


@pytest.mark.parametrize("text", DOCTYPES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig", "latin-1"])
def test_xml_with_a_document_type_is_refused(text: str, encoding: str) -> None:
    """However it is written: no entity is ever resolved, inside or outside."""
    with pytest.raises(FetchError, match="declares a document type"):
        ecb.parse(text.encode(encoding), TODAY)


@pytest.mark.parametrize(
    "encoding", ["UTF-6", "rot13", "undefined", "idna", "utf-7", "cp037", "utf-16", "mbcs", "zlib"]
)
def test_xml_of_another_encoding_is_read_as_what_the_bank_writes(encoding: str) -> None:
    """No codec of that name is looked for: some are none, and some do more than to decode and raise anything."""
    cubes = "<Cube time='2026-10-30'><Cube currency='USD' rate='1.1172'/></Cube>"
    text = f"<?xml version='1.0' encoding='{encoding}'?>{CUBE}{cubes}</x>"
    assert f"{ecb.parse(text.encode(), TODAY).prices['USD'].rate:f}" == "1.1172"


def full(piece: str, before: str = "", after: str = "") -> bytes:
    """Repeat a piece until the answer is a part of what it may be."""
    return (before + piece * ((http.MAX_BODY_BYTES // PART - len(before) - len(after)) // len(piece)) + after).encode()


SHAPES: dict[str, tuple[Callable[..., RateTable], str, str, str]] = {
    "numbers": (frankfurter.parse, "1,", "[", "1]"),
    "rows": (frankfurter.parse, '{"":1},', "[", "{}]"),
    "lists": (frankfurter.parse, "[],", "[", "[]]"),
    "a nest of lists": (frankfurter.parse, "[", "", ""),
    "a nest of elements": (ecb.parse, "<a>", "", ""),
    "rows of XML": (ecb.parse, "<Cube currency='' rate=''/>", CUBE, "</x>"),
}


@pytest.mark.parametrize(("parse", "piece", "before", "after"), SHAPES.values(), ids=list(SHAPES))
def test_no_answer_of_the_largest_size_takes_all_the_memory(
    parse: Callable[..., RateTable], piece: str, before: str, after: str
) -> None:
    """What Python makes of two megabytes may be much more than they are, and grows with them."""
    body = full(piece, before, after)
    assert_refused_within(MAX_MEMORY // PART, lambda: parse(body, TODAY))


TEXTS: dict[str, Callable[[], bytes]] = {
    "many lines": lambda: b"".join(b"%x\n" % number for number in range(2_000_000)),
    "wide lines": lambda: b"Date," + b"A," * 4_000_000 + b"\n2024-06-28," + b"1," * 4_000_000,
    "too large": lambda: bytes(ecb.MAX_HISTORY_BYTES + 1),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_no_archive_takes_all_the_memory(text: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed it is small."""
    body = archive(text())
    monkeypatch.setattr(http, "get", lambda *_: (200, body))
    assert_refused_within(MAX_MEMORY, lambda: ecb.fetch_days("http://ecb", None, [DAY], TODAY))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_is_unpacked_bit_by_bit_or_not_at_all(method: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of these two Python gives all that there is at once, whatever is asked for: gigabytes of two megabytes."""
    body = archive(bytes(2 * ecb.MAX_HISTORY_BYTES), method)
    assert len(body) < 20_000
    monkeypatch.setattr(http, "get", lambda *_: (200, body))
    assert_refused_within(ecb.MAX_HISTORY_BYTES, lambda: ecb.fetch_days("http://ecb", None, [DAY], TODAY))


def test_a_key_that_is_told_back_is_told_to_nobody() -> None:
    """In any place of an error's body."""
    key = "planted-by-the-tests"
    for parse in (exchangeratesapi.parse, openexchangerates.parse):
        for status in (200, 400, 401, 403, 404):
            error = {"code": key, "type": key, "info": key, "message": key}
            body = {"success": False, "error": error, "message": key, "description": key, "base": key, "date": key}
            with pytest.raises(FetchError) as caught:
                parse(status, json.dumps(body).encode(), TODAY)
            assert key not in repr(caught.value)
