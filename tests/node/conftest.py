"""A real node for the session, the operator's image built from its Dockerfile, and the stack on it.

Where there can be no node the tests skip, and say why and what to install.
"""

import contextlib
import datetime as dt
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.node.enclosure import sweep
from tests.node.images import Images
from tests.node.node import Node, eventually
from tests.node.node_main import BRIDGE
from tests.node.programs import ensure_programs, what_is_missing
from tests.node.stack import Stack
from tests.node.user import Rates

from localcluster.binaries import ensure_binaries
from localcluster.rateserver import RateServer

LEAST_INTERVAL_S: Final = 1
"""The least time between two calls to a rate provider in the stack of these tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a node where there can be none, and say why."""
    missing = what_is_missing()
    for item in items:
        if missing and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="session")
def show(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Tell how far a build is, where pytest would keep it to itself."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def tell(text: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\n{text}\n")

    return tell


@pytest.fixture(scope="session")
def images(show: Callable[[str], None]) -> Iterator[Images]:
    """BuildKit, and a registry with a stand-in for the published base image."""
    sweep()
    made = Images(ensure_programs(show))
    try:
        made.start(show)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def operator_image(images: Images) -> str:
    """The operator's image, by digest."""
    return images.operator("0.0.1")


@pytest.fixture(scope="session")
def node(images: Images, show: Callable[[str], None]) -> Iterator[Node]:
    """The session's node."""
    made = Node()
    try:
        made.start(ensure_binaries(show), ensure_programs(show), images)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def session_rates(node: Node) -> Iterator[RateServer]:
    """The stand-in rate server, where Pods reach it; its threads stay in the node's network, this one does not."""
    with contextlib.ExitStack() as until_the_end:
        with node.inside():
            server = until_the_end.enter_context(RateServer(host=BRIDGE, isolated=True))
        yield server


@pytest.fixture(scope="session")
def stack_values(operator_image: str, session_rates: RateServer) -> dict[str, Any]:
    """What stacks of this node have in place of the stack file's values."""
    return {
        "image": {"ref": operator_image},
        "providerUrls": session_rates.urls(),
        "minFetchIntervals": dict.fromkeys(("frankfurter", "ecb", "exchangeratesapi"), f"{LEAST_INTERVAL_S}s"),
        "waitForRollout": True,
        "waitForRates": True,
    }


@pytest.fixture(scope="session")
def applied_stack(node: Node, stack_values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The stack with its own rates."""
    stack = Stack(node, tmp_path_factory.mktemp("stack") / "applied.json", stack_values)
    with node.inside():
        stack.apply()
    return stack


@pytest.fixture
def inside(node: Node) -> Iterator[Node]:
    """The node, with the test in its network."""
    with node.inside():
        yield node


@pytest.fixture
def rates(session_rates: RateServer) -> RateServer:
    """The stand-in rate server, which replays the ECB's table of 2026-10-30."""
    session_rates.reset()
    session_rates.replay(dt.date(2026, 10, 30))
    return session_rates


@pytest.fixture
def stack(applied_stack: Stack, inside: Node, rates: RateServer) -> Stack:
    """The stack, available."""
    assert rates.table.rates
    assert inside.client is applied_stack.client
    applied_stack.wait_available()
    return applied_stack


@pytest.fixture
def stack_away(stack: Stack) -> Iterator[None]:
    """The stack without its Pod, which serves all namespaces: others may serve some of them meanwhile."""
    stack.scale(0)
    eventually(lambda: not stack.client.items("v1", "Pod", stack.namespace), "its Pod is gone")
    yield
    stack.apply()
    stack.wait_available()


@pytest.fixture
def user(stack: Stack) -> Rates:
    """A user of namespace `default`, where the stack's own rates are published."""
    rates = Rates(stack.client)
    for name in ("exchange-rate-usd", "exchange-rate-gbp", "exchange-rate-jpy", "exchange-rate-usd-jpy"):
        eventually(functools.partial(rates.data, name), f"{name} is published")
        rates.wait(name)
    return rates
