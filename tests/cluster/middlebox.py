"""What stands between a client and the API server, at work in a thread and an event loop of its own."""

import asyncio
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml

_ANSWER_S = 30.0
_T = TypeVar("_T")


class Middlebox(ABC):
    """A context manager that serves while it is open.

    Attributes:
        url: Its own address.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=type(self).__name__, daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def kubeconfig(self, original: Path, path: Path) -> Path:
        """Write a kubeconfig with the credentials of another one that leads through here."""
        config = yaml.safe_load(original.read_text(encoding="utf-8"))
        config["clusters"][0]["cluster"] = {"server": self.url}
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do something in its own loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER_S)

    @abstractmethod
    async def _listen(self) -> str:
        """Begin to serve, and give the address."""

    @abstractmethod
    async def _close(self) -> None:
        """End what it serves."""


def trusting() -> ssl.SSLContext:
    """Give TLS towards an API server whose certificate nobody checks."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
