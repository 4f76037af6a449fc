"""The stand-in's HTTP server: one thread a request, every one of them ended by `close`."""

import datetime as dt
import ipaddress
import re
import socket
import struct
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

from localcluster.rateserver import formats
from localcluster.rateserver.faults import RETRY_AFTER_S, RETRY_DATE_S, STATUS, Fault
from localcluster.rateserver.tables import Table, days, history_archive, newest_table, table_of

HISTORY: Final = {
    "/ecb/stats/eurofxref/eurofxref-hist-90d.xml": "ecb",
    "/ecb/stats/eurofxref/eurofxref-hist.zip": "ecb",
}
PATHS: Final = {
    "/frankfurter/v2/rates": "frankfurter",
    "/ecb/stats/eurofxref/eurofxref-daily.xml": "ecb",
    "/exchangeratesapi/v1/latest": "exchangeratesapi",
    "/openexchangerates/api/latest.json": "openexchangerates",
    "/frankfurter-blended/v2/rates": "frankfurter-blended",
}
PROVIDERS: Final = tuple(PATHS.values())
_PAST_DAY: Final = re.compile(r"/openexchangerates/api/historical/([-0-9]{10})[.]json")
_RECENT: Final = dt.timedelta(days=90)
_REDIRECTED: Final = "redirected"
_DRIP_EVERY_S: Final = 0.2
_HUGE_CHUNK: Final = b" " * 65536


class RateServer(ThreadingHTTPServer):
    """The stand-in; a context manager that serves while it is open.

    Args:
        port: Its port; 0 for a free one.
        host: Its address, on loopback: it is nobody else's business.
        isolated: Whether this is a network namespace without a way out, where other addresses will do.
        key: The API key that exchangeratesapi takes.

    Attributes:
        calls: Requests by provider since the start or the last `reset`.
        times: When they came, by provider: seconds of a clock that never goes back.
        table: What is replayed.
        key: The API key that those providers take that want one.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, port: int = 0, *, host: str = "127.0.0.1", isolated: bool = False, key: str = "stand-in-key"
    ) -> None:
        if not (isolated or ipaddress.ip_address(host).is_loopback):
            raise ValueError(f"{host} is not a loopback address; the stand-in listens on 127.0.0.1 only")
        self.calls: Counter[str] = Counter()
        self.times: defaultdict[str, list[float]] = defaultdict(list)
        self.table: Table = newest_table()
        self.key = key
        self.closing = threading.Event()
        self._faults: dict[str, tuple[Fault, int | None]] = {}
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), name="rateserver", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving; hanging and dripping requests end too."""
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet about connections that a fault, or the other side, has cut."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type] # the base's types are narrower

    def url(self, provider: str) -> str:
        """Give a provider's root address."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/{provider}"

    def urls(self) -> dict[str, str]:
        """Give every provider's root address."""
        return {provider: self.url(provider) for provider in PROVIDERS}

    def fail(self, provider: str, fault: Fault, *, times: int | None = None) -> None:
        """Fail a provider's next calls, this many of them or until `heal`."""
        with self._lock:
            self._faults[provider] = (fault, times)

    def heal(self, *providers: str) -> None:
        """Let providers answer well again; all of them where none is named."""
        with self._lock:
            for provider in providers or PROVIDERS:
                self._faults.pop(provider, None)

    def replay(self, day: dt.date, *, dated: dt.date | None = None) -> None:
        """Replay the table of a day, or of the last working day before it; for tests also under another date."""
        table = table_of(day)
        self.table = Table(dated or table.date, table.rates)

    def set_rate(self, currency: str, rate: str) -> None:
        """Replace one rate, for tests of what changes."""
        self.table = Table(self.table.date, {**self.table.rates, currency: rate})

    def reset(self) -> None:
        """Forget faults, counts and replaced tables."""
        self.heal()
        self.calls.clear()
        self.times.clear()
        self.table = newest_table()

    def take_call(self, provider: str) -> Fault | None:
        """Count a call and give the fault that it meets."""
        with self._lock:
            self.calls[provider] += 1
            self.times[provider].append(time.monotonic())
            fault, times = self._faults.get(provider, (None, None))
            if fault is not None and times is not None:
                if times <= 1:
                    del self._faults[provider]
                else:
                    self._faults[provider] = (fault, times - 1)
            return fault


class _Handler(BaseHTTPRequestHandler):
    server: RateServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Stay quiet: the key is part of a path."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        path = parts.path.removesuffix(f"/{_REDIRECTED}")
        provider = PATHS.get(path) or HISTORY.get(path) or (_PAST_DAY.fullmatch(path) and "openexchangerates") or None
        if provider is None:
            self._answer(HTTPStatus.NOT_FOUND, b"no such path", "text/plain")
            return
        fault = None if parts.path.endswith(_REDIRECTED) else self.server.take_call(provider)
        asked = {"exchangeratesapi": "access_key", "openexchangerates": "app_id"}.get(provider)
        if asked and query.get(asked) != [self.server.key] and fault is None:
            fault = Fault.ACCESS_REFUSED
        try:
            self._respond(provider, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _respond(self, provider: str, fault: Fault | None) -> None:
        kind = "text/xml" if provider == "ecb" else "application/json"
        if fault in STATUS:
            after = {"Retry-After": str(RETRY_AFTER_S)} if fault is Fault.HTTP_429_RETRY_AFTER else {}
            if fault is Fault.HTTP_503_RETRY_DATE:
                after = {"Retry-After": formatdate(time.time() + RETRY_DATE_S, usegmt=True)}
            self._answer(STATUS[fault], formats.error_body(provider, STATUS[fault]), kind, **after)
        elif fault is Fault.ACCESS_REFUSED:
            self._answer(HTTPStatus.UNAUTHORIZED, formats.access_refused(provider), kind)
        elif fault is Fault.QUOTA:
            self._answer(*formats.quota_used_up(provider), kind)
        elif fault is Fault.HTML:
            self._answer(HTTPStatus.OK, b"<!doctype html><html><body>Welcome to the WiFi</body></html>", "text/html")
        elif fault in (Fault.REDIRECT, Fault.REDIRECT_AWAY):
            host = "localhost" if fault is Fault.REDIRECT_AWAY else "127.0.0.1"
            path, _, query = self.path.partition("?")
            where = f"http://{host}:{self.server.server_address[1]}{path}/{_REDIRECTED}?{query}"
            self._answer(HTTPStatus.FOUND, b"", kind, Location=where)
        elif fault is Fault.HANG:
            self.server.closing.wait()
            self.close_connection = True
        elif fault is Fault.RESET:
            # SO_LINGER with no time to linger makes the close a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif fault in (Fault.HUGE, Fault.DRIP):
            self._stream(kind, self._flood() if fault is Fault.HUGE else self._drip())
        else:
            self._answer(HTTPStatus.OK, self._tables(provider, fault), kind)

    def _tables(self, provider: str, fault: Fault | None) -> bytes:
        """Give the table, or, where a day that is over is asked for, what was really published then."""
        parts = urlsplit(self.path)
        past = _PAST_DAY.fullmatch(parts.path)
        day = [past[1]] if past else parse_qs(parts.query).get("date")
        if parts.path.endswith("hist.zip"):
            return history_archive()
        if parts.path.endswith("hist-90d.xml"):
            published = days()
            recent = [found for found in published if published[0] - found < _RECENT]
            return formats.several_days([table_of(found) for found in recent])
        return formats.body(provider, table_of(dt.date.fromisoformat(day[0])) if day else self.server.table, fault)

    def _answer(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, kind: str, chunks: Iterator[bytes]) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(chunk)
        self.close_connection = True

    def _flood(self) -> Iterator[bytes]:
        """Give a gigabyte, piece by piece."""
        for _ in range(2**30 // len(_HUGE_CHUNK)):
            if self.server.closing.is_set():
                return
            yield _HUGE_CHUNK

    def _drip(self) -> Iterator[bytes]:
        while not self.server.closing.wait(_DRIP_EVERY_S):
            yield b" "
