"""Where the rates come from, with the real stand-in and a network that is there or not."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchangerates.api import PROVIDERS
from localcluster.processes import wait_until
from localcluster.rate_source import RateSource


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RateSource]:
    """The source of one cluster, on a machine without a network."""
    monkeypatch.setattr("localcluster.rate_source._network_answers", lambda: False)
    made = RateSource(tmp_path)
    yield made
    made.stand_in.stop()


@pytest.mark.parametrize("asked", [True, False], ids=["as asked", "cannot be reached"])
def test_it_is_told_why_the_stand_in_is_used(
    source: RateSource, request: pytest.FixtureRequest, *, asked: bool
) -> None:
    """And the next time that it is still in use, with the same addresses."""
    told: list[str] = []
    urls = source.choose(told.append, stand_in=asked)
    assert set(urls) == set(PROVIDERS)
    assert source.choose(told.append, stand_in=False) == urls
    assert request.node.callspec.id in told[0]
    assert "(as before)" in told[1]


def test_a_stand_in_that_ended_by_itself_is_not_well(source: RateSource) -> None:
    """It is still wanted: the operator goes on asking it."""
    source.choose(print, stand_in=True)
    assert (source.stand_in.is_wanted, source.is_well()) == (True, True)
    pid = source.stand_in.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: source.stand_in.pid is None, 30.0)
    assert (source.stand_in.is_wanted, source.is_well()) == (True, False)
    urls = source.choose(print, stand_in=False)
    assert urls
    assert source.is_well()


def test_a_network_that_is_back_takes_over_from_one_that_ended(
    source: RateSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asks the stand-in any more, and nobody misses it."""
    source.choose(print, stand_in=False)
    os.kill(source.stand_in.pid or 0, signal.SIGKILL)
    assert wait_until(lambda: source.stand_in.pid is None, 30.0)
    monkeypatch.setattr("localcluster.rate_source._network_answers", lambda: True)
    assert source.choose(print, stand_in=False) == {}
    assert not source.stand_in.is_wanted
