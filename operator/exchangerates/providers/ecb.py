"""The European Central Bank's reference rates: one XML table per TARGET working day, about 16:00 CET, base EUR.

Source: the page "Euro foreign exchange reference rates"; reuse with the source cited, crosses called derived.
"""

import csv
import datetime as dt
import io
import zipfile
import zlib
from http import HTTPStatus
from typing import Final
from xml.parsers import expat

from exchangerates.errors import FetchError
from exchangerates.providers import http
from exchangerates.providers.table import checked_table
from exchangerates.rates import RateTable

RECENT: Final = dt.timedelta(days=80)
"""What the file of 90 days has for certain, weekends and holidays included."""
MAX_HISTORY_BYTES: Final = 16 * 1024 * 1024
NAMESPACE: Final = "http://www.ecb.int/vocabulary/2002-08-01/eurofxref"


def fetch(url: str, key: str | None, today: dt.date) -> RateTable:
    """Fetch the latest day's table; see `providers.Fetch`."""
    del key
    status, body = http.get(f"{url}/stats/eurofxref/eurofxref-daily.xml", {})
    if status != HTTPStatus.OK:
        raise FetchError(f"HTTP {status}")
    return parse(body, today)


def fetch_day(url: str, key: str | None, day: dt.date, today: dt.date) -> RateTable:
    """Fetch one day's table; see `providers.FetchDay`. There are two files: 90 days, and everything since 1999."""
    del key
    recent = today - day < RECENT
    name = "eurofxref-hist-90d.xml" if recent else "eurofxref-hist.zip"
    status, body = http.get(f"{url}/stats/eurofxref/{name}", {})
    if status != HTTPStatus.OK:
        raise FetchError(f"HTTP {status}")
    rows = _rows(body) if recent else _history(body)
    wanted = max((str(row[2]) for row in rows if str(row[2]) <= day.isoformat()), default="")
    return checked_table("ecb", [row for row in rows if row[2] == wanted], today)


def parse(body: bytes, today: dt.date) -> RateTable:
    """Read the daily XML.

    Raises:
        FetchError: It is not well-formed, declares a document type (and with it entities), or its quotes are not
        usable.
    """
    return checked_table("ecb", _rows(body), today)


def _history(body: bytes) -> list[tuple[object, object, object]]:
    """Read the archive with one CSV file: a row per day, a column per currency, `N/A` where there is no quote."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive, archive.open(archive.namelist()[0]) as file:
            text = file.read(MAX_HISTORY_BYTES + 1)
        if len(text) > MAX_HISTORY_BYTES:
            raise FetchError(f"the history is larger than {MAX_HISTORY_BYTES} bytes")
        lines = csv.DictReader(io.StringIO(text.decode()))
        return [
            (code.strip(), rate.strip(), line["Date"].strip())
            for line in lines
            for code, rate in line.items()
            if isinstance(code, str) and isinstance(rate, str) and code.strip() not in ("", "Date")
            if rate.strip() not in ("", "N/A")
        ]
    except (zipfile.BadZipFile, zlib.error, IndexError, KeyError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise FetchError(f"the history is broken ({type(error).__name__})") from None


def _rows(body: bytes) -> list[tuple[object, object, object]]:
    rows: list[tuple[object, object, object]] = []
    date: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == f"{NAMESPACE} Cube":
            if "time" in attributes:
                date[:] = [attributes["time"]]
            if "currency" in attributes:
                rows.append((attributes["currency"], attributes.get("rate"), date[0] if date else None))

    def refuse_document_type(*_: object) -> None:
        raise FetchError("the XML declares a document type")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse_document_type
    try:
        parser.Parse(body, True)  # noqa: FBT003 - the C function takes no keyword
    except expat.ExpatError as error:
        raise FetchError(f"the XML is broken ({expat.ErrorString(error.code)})") from None
    return rows
