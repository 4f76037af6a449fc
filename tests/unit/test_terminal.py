"""Emphasis in a terminal."""

import io

import pytest

from localcluster.terminal import BOLD, emphasised


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal with colours, whatever the tests run in."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_person_sees_emphasis() -> None:
    """In the codes that every terminal knows."""
    assert emphasised("CURRENCY", BOLD, Terminal()) == "\x1b[1mCURRENCY\x1b[0m"


def test_a_pipe_gets_plain_text() -> None:
    """Whatever reads it compares and cuts columns."""
    assert emphasised("CURRENCY", BOLD, io.StringIO()) == "CURRENCY"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_none_gets_none(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """By the usual variables."""
    monkeypatch.setenv(name, value)
    assert emphasised("CURRENCY", BOLD, Terminal()) == "CURRENCY"
