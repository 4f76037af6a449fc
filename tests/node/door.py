"""A port of one network that leads to a server in another."""

import contextlib
import socket
import socketserver
import threading
from typing import Final, Self

_CHUNK: Final = 65536


class Door(socketserver.ThreadingTCPServer):
    """A context manager: its port is in the network in which it is made, the server in that in which it is entered.

    Args:
        server: The server's address.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, server: tuple[str, int]) -> None:
        self.server = server
        super().__init__(("127.0.0.1", 0), _Passage)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), name="door", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def port(self) -> int:
        """The port."""
        return int(self.server_address[1])


class _Passage(socketserver.BaseRequestHandler):
    server: Door
    request: socket.socket

    def handle(self) -> None:
        with socket.create_connection(self.server.server) as there:
            back = threading.Thread(target=_pass_on, args=(there, self.request), daemon=True)
            back.start()
            _pass_on(self.request, there)
            back.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):  # either side may end first
        while data := source.recv(_CHUNK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
