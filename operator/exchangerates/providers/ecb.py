"""The European Central Bank's reference rates: one XML table per TARGET working day, about 16:00 CET, base EUR.

Source: the page "Euro foreign exchange reference rates"; reuse with the source cited, crosses called derived.
"""

import datetime as dt
from http import HTTPStatus
from xml.parsers import expat

from exchangerates.errors import FetchError
from exchangerates.providers import http
from exchangerates.providers.table import checked_table
from exchangerates.rates import RateTable

NAMESPACE = "http://www.ecb.int/vocabulary/2002-08-01/eurofxref"


def fetch(url: str, key: str | None, today: dt.date) -> RateTable:
    """Fetch the latest day's table; see `providers.Fetch`."""
    del key
    status, body = http.get(f"{url}/stats/eurofxref/eurofxref-daily.xml", {})
    if status != HTTPStatus.OK:
        raise FetchError(f"HTTP {status}")
    return parse(body, today)


def parse(body: bytes, today: dt.date) -> RateTable:
    """Read the daily XML.

    Raises:
        FetchError: It is not well-formed, declares a document type (and with it entities), or its quotes are not
        usable.
    """
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
    return checked_table("ecb", rows, today)
