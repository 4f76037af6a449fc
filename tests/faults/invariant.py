"""Watches all the time that nothing wrong is published, whatever else happens.

Every version of every ConfigMap that belongs to an ExchangeRate is looked at, as the API server's watch shows it: it
holds a rate that was really quoted for its pair and its day, its keys say the same, and its day never goes back.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import requests
from tests.faults.market import Market, Price

from exchangerates.api import FIELD_MANAGER, KIND, MANAGED_BY_LABEL

_PATH: Final = "/api/v1/configmaps"
_OWN: Final = {"labelSelector": f"{MANAGED_BY_LABEL}={FIELD_MANAGER}"}
_WATCH_S: Final = 2
"""How long one watch lasts: the end of the last one is waited for."""
_TIMEOUT_S: Final = (2.0, 30.0)
_AGAIN_S: Final = 0.1


class Invariant:
    """The observer; a context manager that looks while it is open.

    Args:
        server: The API server's address.
        pki: The directory with the administrator's certificate.
        market: Knows what was quoted.

    Attributes:
        violations: What was wrong, as text.
        seen: How many versions of ConfigMaps were looked at.
        blind: How often the API server did not answer.
    """

    def __init__(self, server: str, pki: Path, market: Market) -> None:
        self._server, self._market = server, market
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(pki / "authority.crt")
        self._session.cert = (str(pki / "admin.crt"), str(pki / "admin.key"))
        self._days: dict[tuple[str, str, str], str] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="invariant", daemon=True)
        self.violations: list[str] = []
        self.seen = 0
        self.blind = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._session.close()

    def _look(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow(self._list())
            except (requests.RequestException, ValueError):  # down, or cut in the middle of a line
                self.blind += 1
                self._ended.wait(_AGAIN_S)

    def _list(self) -> str:
        answer = self._session.get(self._server + _PATH, params=_OWN, timeout=_TIMEOUT_S)
        answer.raise_for_status()
        found = answer.json()
        for body in found["items"]:
            self._judge(body)
        return str(found["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> None:
        """Watch from a version on, until the API server has forgotten it."""
        while not self._ended.is_set():
            for event in self._events(version):
                if event["type"] == "ERROR":
                    return
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] in {"ADDED", "MODIFIED"}:
                    self._judge(event["object"])

    def _events(self, version: str) -> Iterator[dict[str, Any]]:
        asked = {**_OWN, "watch": "true", "resourceVersion": version, "timeoutSeconds": str(_WATCH_S)}
        with self._session.get(self._server + _PATH, params=asked, timeout=_TIMEOUT_S, stream=True) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines(chunk_size=None):
                yield json.loads(line)

    def _judge(self, body: Mapping[str, Any]) -> None:
        metadata, data = body["metadata"], body.get("data") or {}
        owners = [owner for owner in metadata.get("ownerReferences") or () if owner["kind"] == KIND]
        if not owners:
            return
        self.seen += 1
        complaint = wrong(data, self._market)
        pair = (metadata["uid"], data.get("base", ""), data.get("currency") or data.get("currencies") or "")
        before, day = self._days.get(pair, ""), data.get("date", "")
        if day < before:
            complaint = complaint or f"its day went back from {before} to {day}"
        self._days[pair] = max(before, day)
        if complaint:
            self.violations.append(f"{metadata['namespace']}/{metadata['name']}: {complaint}: {json.dumps(data)}")


def wrong(data: Mapping[str, str], market: Market) -> str:
    """Say what is wrong with a ConfigMap's data; empty where all is well."""
    try:
        document = json.loads(data["quote"])
        parts = document["rates"] if "rates" in document else {document["currency"]: document}
        keys = {
            "base": document["base"],
            "provider": document["provider"],
            "currencies" if "rates" in document else "currency": ",".join(parts),
            "date": min(part["date"] for part in parts.values()),
            "derived": str(any(part["derived"] for part in parts.values())).lower(),
            **{code if "rates" in document else "rate": part["rate"] for code, part in parts.items()},
        }
    except (KeyError, ValueError) as error:
        return f"no quote to read ({error!r})"
    if different := sorted(key for key, value in keys.items() if data.get(key) != value):
        return f"{', '.join(different)} and the quote differ"
    for currency, part in parts.items():
        if Price(part["rate"], part["date"]) not in market.quoted(data["base"], currency):
            return f"{part['rate']} was never quoted for {currency} in {data['base']} on {part['date']}"
        if part["derived"] != (data["base"] not in {"EUR", currency}):
            return f"{currency} is told to be derived, or not to be"
    return ""
