"""`localcluster` as a person runs it, in this process: to start another one takes a second."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from localcluster.__main__ import main

Localcluster = Callable[..., tuple[int, str]]
"""Runs a command with these arguments; gives its exit code and its messages."""


@contextmanager
def in_this_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Localcluster]:
    """Give what runs it; what a SIGTERM does is as before in the end."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["localcluster", *arguments])
        return main(), capsys.readouterr().err

    yield run
    signal.signal(signal.SIGTERM, before)
