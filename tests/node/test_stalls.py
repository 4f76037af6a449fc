"""What has stalled is restarted by its liveness probe, with the Deployment's own thresholds; an outage is no stall."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from tests.cluster.proxy import Proxy
from tests.node.images import Images
from tests.node.node import Node, eventually
from tests.node.stack import Stack
from tests.node.user import Rates

from exchangerates.api import Env
from localcluster.client import Reference

RESTARTED_WITHIN_S: Final = 300.0
"""A watch is deaf after a minute and a half, three probes fail in a minute more, and a machine may be slow."""
NEWS_EVERY_S: Final = 10.0
STALLING: Final = Path(__file__).parent / "stalling"
SIGNALS: Final = {"dispatcher": signal.SIGUSR1, "resync": signal.SIGUSR2, "pass": signal.SIGHUP}
"""What makes the parts hang in the image with `stalling/sitecustomize.py`."""
LOGGED: Final = {
    "dispatcher": "the dispatcher has not run for ",
    "resync": "the resync has not run for ",
    "pass": "the pass over served-by-pass/meanwhile does not end",
    "watch": "the watch of ExchangeRates in served-by-watch is deaf",
}
"""What the log says, in which Kubernetes' events do not: of a failed probe they name the status alone."""


@dataclass(frozen=True)
class Team:
    """A stack that serves one namespace, and its user."""

    stack: Stack
    user: Rates

    def kept(self) -> dict[str, tuple[str, str]]:
        """Give what was published before anything stalled."""
        return {name: version for name, version in self.user.versions().items() if name.endswith(" before")}

    def pod(self) -> dict[str, Any]:
        """Read the operator's Pod, which is to stay the same."""
        (pod,) = self.stack.pods()
        return pod

    def container(self) -> dict[str, Any]:
        """Read the status of the operator's container."""
        return dict(self.pod()["status"]["containerStatuses"][0])

    def log(self, *, previous: bool = False) -> str:
        """Read its log, or that of the container before this one."""
        return self.stack.log(self.pod(), previous=previous)

    def told(self) -> set[str]:
        """Read what events say of its Pod."""
        return self.stack.told(self.pod())

    def is_back(self) -> bool:
        """Tell whether the container was restarted and is ready."""
        container = self.container()
        return bool(container["restartCount"] and container["ready"])


@pytest.fixture
def proxies(inside: Node) -> Iterator[dict[str, Proxy]]:
    """The ways to the API server of those from which it is to be taken."""
    with contextlib.ExitStack() as until_the_end:
        yield {name: until_the_end.enter_context(inside.proxy()) for name in ("watch", "outage")}


@pytest.fixture
def team(
    inside: Node, proxies: dict[str, Proxy], stack_values: dict[str, Any], tmp_path: Path
) -> Iterator[Callable[..., Team]]:
    """Make a team with its stack, applied."""
    with contextlib.ExitStack() as until_the_end:

        def make(name: str, **values: object) -> Team:
            own, served = f"operator-{name}", f"served-by-{name}"
            for namespace in (own, served):
                # Going takes longer than a test should wait: the node ends with the session anyway.
                until_the_end.callback(inside.client.delete, Reference("v1", "Namespace", "", namespace))
            inside.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": served}})
            second = {"namespace": own, "watchNamespaces": [served], "crd": {"manage": False}, "rates": []}
            environment = {str(Env.RESYNC_INTERVAL): "10s"}
            if name in proxies:
                environment["KUBERNETES_SERVICE_PORT"] = str(proxies[name].port)
            made = Stack(inside, tmp_path / f"{name}.json", {**stack_values, **second, **values}, environment)
            made.apply()
            return Team(made, Rates(inside.client, served))

        yield make


@pytest.fixture
def teams(team: Callable[..., Team], images: Images, operator_image: str) -> dict[str, Team]:
    """One for each part that can stall, and one for an outage; each has published a rate."""
    layered = images.name("exchange-rate-operator", "stalling")
    digest = images.build(STALLING, layered, OPERATOR=operator_image)
    stalling = {"image": {"ref": f"{operator_image.partition('@')[0]}@{digest}"}}
    made = {name: team(name) for name in ("watch", "process")}
    # With its short limits also where there is an outage: what waits for an answer must keep below them.
    made |= {name: team(name, **stalling) for name in (*SIGNALS, "outage")}
    for found in made.values():
        found.stack.wait_available()
        found.user.create("before", currency="USD")
    for found in made.values():
        found.user.wait("before")
    return made


def stall(teams: dict[str, Team], proxies: dict[str, Proxy], node: Node) -> None:
    """Stall a part of each operator, and have the API server answer one of them no more."""
    for name, number in {**SIGNALS, "process": signal.SIGSTOP}.items():
        (pid,) = node.pids(teams[name].pod())
        os.kill(pid, number)
    proxies["watch"].swallow_watches()
    proxies["outage"].silence()


def wait_until_back(teams: dict[str, Team]) -> None:
    """Wait until all but the one with the outage were restarted."""
    news = [time.monotonic()]

    def all_are_back() -> bool:
        if time.monotonic() > news[-1] + NEWS_EVERY_S:
            teams["watch"].user.refresh("meanwhile")  # the more a watch does not show, the surer it is that it is deaf
            news.append(time.monotonic())
        return all(team.is_back() for name, team in teams.items() if name != "outage")

    eventually(
        all_are_back,
        "every part was restarted",
        lambda: "\n".join(f"{name}: {team.container()}" for name, team in teams.items()),
        RESTARTED_WITHIN_S,
    )


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("stack_away")
def test_every_stalled_part_is_restarted_and_an_outage_restarts_nothing(
    teams: dict[str, Team], proxies: dict[str, Proxy], inside: Node
) -> None:
    """All side by side: the log names the part, nothing published is touched, what came meanwhile is served."""
    kept = {name: team.kept() for name, team in teams.items()}
    assert {len(found) for found in kept.values()} == {2}
    stall(teams, proxies, inside)
    for team in teams.values():
        team.user.create("meanwhile", currency="GBP")
    wait_until_back(teams)
    for proxy in proxies.values():
        proxy.heal()
    for name, logged in LOGGED.items():
        log = teams[name].log(previous=True)
        assert logged in log
        assert not any(other in log for other in LOGGED.values() if other != logged), name
        assert teams[name].container()["lastState"]["terminated"]["exitCode"] == 0, "it ends by itself"
    frozen = teams["process"].container()["lastState"]["terminated"]
    assert frozen["exitCode"] == 137
    (*_, last) = frozen["message"].splitlines()
    assert last in teams["process"].log(previous=True), "`kubectl describe pod` shows the log's end"
    log = teams["outage"].log()
    assert teams["outage"].container()["restartCount"] == 0
    assert "a list failed" in log
    assert "has stalled" not in log
    for name, team in teams.items():
        assert ("Container operator failed liveness probe, will be restarted" in team.told()) == (name != "outage")
        team.user.wait("meanwhile")
        assert team.kept() == kept[name], name
