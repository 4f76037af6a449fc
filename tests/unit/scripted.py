"""A server that sends what it is told to, piece by piece, and the memory that reading it may take."""

import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Self

import pytest

from exchangerates.errors import FetchError


class Scripted:
    """A server that answers every connection with the same pieces, each at once or after a pause.

    Attributes:
        url: Its address.
    """

    def __init__(self, pieces: Callable[[], Iterator[bytes]], pause_s: float = 0.0) -> None:
        self._pieces, self._pause_s = pieces, pause_s
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._listener.close()

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                for piece in self._pieces():
                    if self._closing.wait(self._pause_s):
                        return
                    connection.sendall(piece)
            except OSError:
                return


def assert_refused_within(memory: int, call: Callable[[], object], told: str | None = None) -> None:
    """Call what is to fail (and say this, where it is given), and look at the most memory that it took, in bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(FetchError, match=told):
            call()
        assert tracemalloc.get_traced_memory()[1] < memory
    finally:
        tracemalloc.stop()
