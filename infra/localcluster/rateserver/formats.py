"""A table in each provider's own format, and the documents that their errors come in."""

import datetime as dt
import json
from decimal import Decimal
from typing import Final

from localcluster.rateserver.faults import USD_REPLACED, Fault
from localcluster.rateserver.tables import Table


def body(provider: str, table: Table, fault: Fault | None) -> bytes:
    """Give a successful answer's body, made wrong in the way of the fault where there is one."""
    rows = [(code, rate, table.date) for code, rate in table.rates.items()]
    subject = "USD"
    if provider == "openexchangerates":
        rows, subject = _against_usd(rows), "EUR"
    if fault is Fault.DROPPED:
        rows = [row for row in rows if row[0] != subject]
    if fault in USD_REPLACED:
        rows = [(code, USD_REPLACED[fault] if code == subject else rate, date) for code, rate, date in rows]
    if fault is Fault.MIXED_DATES:
        rows = [(code, rate, date - dt.timedelta(days=index % 2)) for index, (code, rate, date) in enumerate(rows)]
    if fault is Fault.FUTURE:
        ahead = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=7)
        rows = [(code, rate, ahead) for code, rate, _ in rows]
    text = _WRITERS[provider](rows, fault)
    return text[: len(text) // 2].encode() if fault is Fault.TRUNCATED else text.encode()


def several_days(tables: list[Table]) -> bytes:
    """Give the ECB's file of several days."""
    return _ecb([(code, rate, table.date) for table in tables for code, rate in table.rates.items()], None).encode()


def error_body(provider: str, status: int) -> bytes:
    """Give the body of an HTTP error as the provider writes it."""
    if provider.startswith("frankfurter"):
        return json.dumps({"status": status, "message": "invalid currency: XXX"}).encode()
    if provider == "exchangeratesapi":
        return json.dumps({"error": {"code": "internal", "message": "an error"}}).encode()
    return b"<html><body>error</body></html>"


def access_refused(provider: str) -> bytes:
    """Give the error envelope of openexchangerates, or exchangeratesapi's newer one."""
    if provider == "openexchangerates":
        return json.dumps(
            {"error": True, "status": 401, "message": "invalid_app_id", "description": "Invalid."}
        ).encode()
    message = "You have not supplied a valid API Access Key."
    return json.dumps({"error": {"code": "invalid_access_key", "message": message}}).encode()


def quota_used_up(provider: str) -> tuple[int, bytes]:
    """Give openexchangerates' error, or exchangeratesapi's in its older envelope, which comes with HTTP 200."""
    if provider == "openexchangerates":
        return 429, json.dumps({"error": True, "status": 429, "message": "access_restricted"}).encode()
    error = {"code": 104, "type": "usage_limit_reached", "info": "Your monthly API request volume has been reached."}
    return 200, json.dumps({"success": False, "error": error}).encode()


def _base(fault: Fault | None) -> str:
    return "USD" if fault is Fault.WRONG_BASE else "EUR"


def _frankfurter(rows: list[tuple[str, str, dt.date]], fault: Fault | None) -> str:
    base = _base(fault)
    return (
        "["
        + ",".join(f'{{"date":"{date}","base":"{base}","quote":"{code}","rate":{rate}}}' for code, rate, date in rows)
        + "]"
    )


def _ecb(rows: list[tuple[str, str, dt.date]], fault: Fault | None) -> str:
    days: dict[dt.date, list[str]] = {}
    for code, rate, date in rows:
        days.setdefault(date, []).append(f"\t\t\t<Cube currency='{code}' rate='{rate}'/>\n")
    cubes = "".join(f"\t\t<Cube time='{date}'>\n{''.join(lines)}\t\t</Cube>\n" for date, lines in days.items())
    doctype = '<!DOCTYPE x [<!ENTITY e "1.5">]>\n' if fault is Fault.ENTITIES else ""
    namespace = (
        "http://example.invalid/other"
        if fault is Fault.WRONG_BASE
        else "http://www.ecb.int/vocabulary/2002-08-01/eurofxref"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        + doctype
        + '<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" '
        f'xmlns="{namespace}">\n'
        "\t<gesmes:subject>Reference rates</gesmes:subject>\n"
        "\t<gesmes:Sender>\n\t\t<gesmes:name>European Central Bank</gesmes:name>\n\t</gesmes:Sender>\n"
        f"\t<Cube>\n{cubes}\t</Cube>\n</gesmes:Envelope>"
    )


def _exchangeratesapi(rows: list[tuple[str, str, dt.date]], fault: Fault | None) -> str:
    date = max(date for _, _, date in rows)
    timestamp = int(dt.datetime.combine(date, dt.time(15), dt.UTC).timestamp())
    rates = ",".join(f'"{code}":{rate}' for code, rate, _ in [*rows, ("EUR", "1", date)])
    return f'{{"success":true,"timestamp":{timestamp},"base":"{_base(fault)}","date":"{date}","rates":{{{rates}}}}}'


def _against_usd(rows: list[tuple[str, str, dt.date]]) -> list[tuple[str, str, dt.date]]:
    """Give the rows per dollar, with six decimals, as openexchangerates has them."""
    per_euro = {"EUR": Decimal(1), **{code: Decimal(rate) for code, rate, _ in rows}}
    date = max(date for _, _, date in rows)
    return [(code, f"{rate / per_euro['USD']:.6f}", date) for code, rate in per_euro.items()]


def _openexchangerates(rows: list[tuple[str, str, dt.date]], fault: Fault | None) -> str:
    date = max(date for _, _, date in rows)
    timestamp = int(dt.datetime.combine(date, dt.time(15), dt.UTC).timestamp())
    base = "EUR" if fault is Fault.WRONG_BASE else "USD"
    rates = ",".join(f'"{code}":{rate}' for code, rate, _ in rows)
    return f'{{"disclaimer":"-","license":"-","timestamp":{timestamp},"base":"{base}","rates":{{{rates}}}}}'


_WRITERS: Final = {
    "frankfurter": _frankfurter,
    "frankfurter-blended": _frankfurter,
    "ecb": _ecb,
    "exchangeratesapi": _exchangeratesapi,
    "openexchangerates": _openexchangerates,
}
