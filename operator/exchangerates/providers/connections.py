"""Connections to a rate provider that all end by one deadline, and trust private certificate authorities too.

A timeout of `requests` is for the silence between two bytes: headers or chunk lengths that come byte by byte would
hold a thread for days. The connections of a call are noted, and cut when its time is over.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context


class Deadline:
    """The end of one call's connections.

    Attributes:
        passed: Whether it has come.
    """

    def __init__(self) -> None:
        self.passed = False
        self._sockets: list[socket.socket] = []
        self._lock: Final = threading.Lock()

    def note(self, opened: socket.socket) -> socket.socket:
        """Note a connection, and give it back. A duplicate is kept: TLS takes the socket itself away."""
        with self._lock:
            self._sockets.append(opened.dup())
            if self.passed:
                self._cut()
        return opened

    def come(self) -> None:
        """Cut the connections: whoever waits for a byte of them is told that there is none."""
        with self._lock:
            self.passed = True
            self._cut()

    def forget(self) -> None:
        """Let go of the connections."""
        with self._lock:
            for noted in self._sockets:
                noted.close()
            self._sockets.clear()

    def _cut(self) -> None:
        for noted in self._sockets:
            with contextlib.suppress(OSError):  # the other side was faster
                noted.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def session_until(deadline: Deadline, within_s: float, ca_file: str | None) -> Iterator[requests.Session]:
    """Give a session whose connections are cut by a deadline.

    Args:
        deadline: Comes this many seconds from now, where the session is still open.
        within_s: The seconds.
        ca_file: A file of certificate authorities that are trusted besides the public ones, or None.

    Raises:
        OSError: The file cannot be read.
    """
    context = create_urllib3_context() if ca_file else None
    if context is not None:
        context.load_verify_locations(ca_file)
    timer = threading.Timer(within_s, deadline.come)
    timer.daemon = True
    with _Session() as session:
        session.mount("https://", _Adapter(deadline, context))
        session.mount("http://", _Adapter(deadline, None))
        timer.start()
        try:
            yield session
        finally:
            timer.cancel()
            deadline.forget()


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Prepare no redirect: `requests` reads the whole body of one for it, also where it is told not to follow."""
        del resp


class _Adapter(HTTPAdapter):
    """Notes every connection, also those to a proxy.

    It trusts the authorities of a context besides the public ones, which `requests` adds to it for each connection.
    REQUESTS_CA_BUNDLE would have them trusted instead: a private first provider and a public fallback need both.
    """

    def __init__(self, deadline: Deadline, context: ssl.SSLContext | None) -> None:
        self._pools = _pools(deadline)
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the library has it
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401 - as the library has it
        contexts = {"ssl_context": self._context, "proxy_ssl_context": self._context} if self._context else {}
        manager = super().proxy_manager_for(proxy, **contexts, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(deadline: Deadline) -> dict[str, type[HTTPConnectionPool]]:
    """Give the pools of connections that are noted; `_new_conn` is where urllib3 opens the socket of either kind."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return deadline.note(super()._new_conn())

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return deadline.note(super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
