"""The European Central Bank's reference rates: one XML table per TARGET working day, about 16:00 CET, base EUR.

Source: the page "Euro foreign exchange reference rates"; reuse with the source cited, crosses called derived.
"""

import bisect
import csv
import datetime as dt
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypeAlias
from xml.parsers import expat

from exchangerates.errors import FetchError
from exchangerates.providers import http
from exchangerates.providers.table import checked_table
from exchangerates.rates import RateTable

RECENT: Final = dt.timedelta(days=80)
"""What the file of 90 days has for certain, weekends and holidays included."""
MAX_HISTORY_BYTES: Final = 16 * 1024 * 1024
MAX_LINES: Final = 50_000
"""A line is a day: 7,000 by 2026. As many as the size allows would take a gigabyte of memory."""
MAX_LINE_BYTES: Final = 8 * 1024
_BOUNDED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What `zipfile` unpacks bit by bit; the others all at once, and 2 MB of bzip2 may be 40 GB."""
Row: TypeAlias = tuple[object, object, object]
"""Currency, rate and date as they are written."""
_BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, csv.Error),
    *(EOFError, LookupError, OSError, OverflowError, RuntimeError, ValueError),
)
"""What `zipfile` and `csv` raise over bytes that are no archive of a table."""
NAMESPACE: Final = "http://www.ecb.int/vocabulary/2002-08-01/eurofxref"


def fetch(url: str, key: str | None, today: dt.date) -> RateTable:
    """Fetch the latest day's table; see `providers.Fetch`."""
    del key
    status, body = http.get(f"{url}/stats/eurofxref/eurofxref-daily.xml", {})
    if status != HTTPStatus.OK:
        raise FetchError(f"HTTP {status}")
    return parse(body, today)


def fetch_days(url: str, key: str | None, days: Sequence[dt.date], today: dt.date) -> Mapping[dt.date, RateTable]:
    """Fetch the tables of all the days; see `providers.FetchDays`. There are two files: 90 days, and all since 1999."""
    del key
    recent = all(today - day < RECENT for day in days)
    name = "eurofxref-hist-90d.xml" if recent else "eurofxref-hist.zip"
    status, body = http.get(f"{url}/stats/eurofxref/{name}", {})
    if status != HTTPStatus.OK:
        raise FetchError(f"HTTP {status}")
    rows = _rows(body) if recent else _history(body, days)
    last = _last_quoted((str(row[2]) for row in rows), days)
    tables = {}
    for day in days:
        try:
            tables[day] = checked_table("ecb", [row for row in rows if row[2] == last[day]], today)
        except FetchError:
            if day == days[0]:
                raise
    return tables


def parse(body: bytes, today: dt.date) -> RateTable:
    """Read the daily XML.

    Raises:
        FetchError: It is not well-formed, declares a document type (and with it entities), or its quotes are not
        usable.
    """
    return checked_table("ecb", _rows(body), today)


def _last_quoted(quoted: Iterable[str], days: Iterable[dt.date]) -> Mapping[dt.date, str | None]:
    """Give for each day the last quoted one on or before it; all of the form YYYY-MM-DD."""
    dates = sorted(set(quoted))
    places = {day: bisect.bisect_right(dates, day.isoformat()) for day in days}
    return {day: dates[place - 1] if place else None for day, place in places.items()}


def _history(body: bytes, days: Sequence[dt.date]) -> list[Row]:
    """Read of the archive what the days need: it has a row per day, a column per currency, `N/A` where none is quoted.

    Of 0.6 MB, all of it as rows would take 40 MB of memory, this takes 13 for a moment.
    """
    try:
        text = _unpacked(body)
        quoted = {line: line.partition(",")[0].strip() for line in io.StringIO(text)}
        needed = set(_last_quoted(quoted.values(), days).values())
        header, *found = csv.reader([next(iter(quoted), ""), *(line for line in quoted if quoted[line] in needed)])
    except _BROKEN as error:
        raise FetchError(f"the history is broken ({type(error).__name__})") from None
    return [
        (code.strip(), rate.strip(), date.strip())
        for date, *rates in filter(None, found)
        for code, rate in zip(header[1:], rates, strict=False)
        if code.strip() and rate.strip() not in ("", "N/A")
    ]


def _unpacked(body: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        packed = archive.infolist()[0]
        if packed.compress_type not in _BOUNDED:
            raise FetchError("the history is packed in a way that cannot be bounded")
        with archive.open(packed) as file:
            text = file.read(MAX_HISTORY_BYTES + 1)
    if len(text) > MAX_HISTORY_BYTES:
        raise FetchError(f"the history is larger than {MAX_HISTORY_BYTES} bytes")
    lines = text.split(b"\n", MAX_LINES)
    if len(lines) > MAX_LINES or max(map(len, lines)) > MAX_LINE_BYTES:
        raise FetchError(
            f"the history has more than {MAX_LINES} lines, or one that is longer than {MAX_LINE_BYTES} bytes"
        )
    return text.decode()


def _rows(body: bytes) -> list[Row]:
    rows: list[Row] = []
    date: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == f"{NAMESPACE} Cube":
            if "time" in attributes:
                date[:] = [attributes["time"]]
            if "currency" in attributes:
                rows.append((attributes["currency"], attributes.get("rate"), date[0] if date else None))

    def refuse_document_type(*_: object) -> None:
        raise FetchError("the XML declares a document type")

    # Whatever encoding the document names: for one that expat does not know, Python would call any of its codecs.
    parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse_document_type
    try:
        parser.Parse(body, True)  # noqa: FBT003 - the C function takes no keyword
    except expat.ExpatError as error:
        raise FetchError(f"the XML is broken ({expat.ErrorString(error.code)})") from None
    return rows
