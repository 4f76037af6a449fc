"""The table of rates: what an ExchangeRate's user would read, from its ConfigMap."""

from typing import Any, Final, NamedTuple

from exchangerates.api import API_VERSION, KIND, Condition, Key
from localcluster.client import Client, Reference


class Row(NamedTuple):
    """One ExchangeRate, as text."""

    namespace: str
    name: str
    currency: str
    base: str
    rate: str
    date: str
    provider: str
    ready: str
    message: str


_COLUMNS: Final = Row._fields[:-1]


def rows(client: Client) -> list[Row]:
    """Give a row per ExchangeRate, by namespace and name."""
    return sorted(_row(client, body) for body in client.items(API_VERSION, KIND))


def table(found: list[Row]) -> str:
    """Lay rows out in columns, as kubectl does; the message of one that is not ready stands below it."""
    cells = [tuple(column.upper() for column in _COLUMNS), *(row[:-1] for row in found)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_COLUMNS))]
    lines = ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    for number in range(len(found), 0, -1):
        if found[number - 1].ready != "True":
            lines.insert(number + 1, f"    {found[number - 1].message}")
    return "\n".join(lines)


def _row(client: Client, body: dict[str, Any]) -> Row:
    metadata, status = body["metadata"], body.get("status") or {}
    ready: dict[str, str] = next(
        (entry for entry in status.get("conditions") or [] if entry["type"] == Condition.READY), {}
    )
    target = status.get("configMapName") or metadata["name"]
    published = client.get(Reference("v1", "ConfigMap", metadata["namespace"], target)) or {}
    owners = {owner["uid"] for owner in (published.get("metadata") or {}).get("ownerReferences") or []}
    data = published.get("data") or {} if metadata["uid"] in owners else {}
    codes = body["spec"].get("currencies") or [body["spec"].get("currency", "-")]
    rates = (
        [data[code] for code in codes if code in data] if "currencies" in body["spec"] else [data.get(Key.RATE, "-")]
    )
    return Row(
        namespace=metadata["namespace"],
        name=metadata["name"],
        currency=",".join(codes),
        base=data.get(Key.BASE, "-"),
        rate=",".join(rates) or "-",
        date=data.get(Key.DATE, "-"),
        provider=data.get(Key.PROVIDER, "-"),
        ready=ready.get("status", "Unknown"),
        message=ready.get("message", "not looked at yet"),
    )
