"""How properties are tried (on a slow machine an example takes as long as it takes), and what tests share."""

import datetime as dt
from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.unit.chain import Clock
from tests.unit.localcluster_run import Localcluster, in_this_process

from localcluster.rateserver import RateServer

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="module")
def running() -> Iterator[RateServer]:
    """One stand-in for the module."""
    with RateServer() as server:
        yield server


@pytest.fixture
def rates(running: RateServer) -> RateServer:
    """The stand-in, healed and with its newest table."""
    running.reset()
    running.replay(dt.date(2026, 10, 30))
    return running


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the test's own loop."""
    return Clock(monkeypatch)


@pytest.fixture
def localcluster(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Localcluster]:
    """What runs the command."""
    with in_this_process(monkeypatch, capsys) as run:
        yield run
