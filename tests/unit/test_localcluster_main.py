"""How `localcluster` ends where it cannot go on."""

import pytest
from tests.unit.localcluster_run import Localcluster

from exchangerates_infra.stack_config import StackConfig
from localcluster.commands import LocalCluster


def test_a_mistake_in_the_stack_file_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, localcluster: Localcluster
) -> None:
    """Whoever has written it needs the key and not the way through the code."""
    monkeypatch.setattr(LocalCluster, "up", lambda *_, **__: StackConfig.parse({"baseCurrency": "eur"}))
    code, told = localcluster("up")
    assert code == 1
    assert told.startswith("localcluster: Pulumi.<stack>.yaml needs these corrections")
    assert "baseCurrency: 'eur' is not a currency code; write three capital letters" in told
