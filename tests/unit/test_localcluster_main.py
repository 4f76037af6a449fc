"""How `localcluster` ends where it cannot go on."""

import signal
import sys
from collections.abc import Iterator

import pytest

from exchangerates_infra.stack_config import StackConfig
from localcluster.__main__ import main
from localcluster.commands import LocalCluster


@pytest.fixture
def sigterm() -> Iterator[None]:
    """What a SIGTERM did before stays."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("sigterm")
def test_a_mistake_in_the_stack_file_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever has written it needs the key and not the way through the code."""
    monkeypatch.setattr(sys, "argv", ["localcluster", "up"])
    monkeypatch.setattr(LocalCluster, "up", lambda *_, **__: StackConfig.parse({"baseCurrency": "eur"}))
    assert main() == 1
    told = capsys.readouterr().err
    assert told.startswith("localcluster: Pulumi.<stack>.yaml needs these corrections")
    assert "baseCurrency: 'eur' is not a currency code; write three capital letters" in told
