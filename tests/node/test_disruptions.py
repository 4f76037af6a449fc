"""What happens to a Pod: killed, starved, evicted, replaced. It comes back by itself and nothing is lost."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.node.images import Images
from tests.node.node import Node, eventually, pod_reference
from tests.node.stack import Stack
from tests.node.user import Rates

from exchangerates_infra.project import OPERATOR

PODS = f"/api/v1/namespaces/{OPERATOR}/pods"


@pytest.fixture
def kept(user: Rates) -> Iterator[Rates]:
    """Rates of which nothing may be lost, or written again, while the operator is away."""
    before = user.versions()
    assert len(before) == 8
    yield user
    assert user.versions() == before


@pytest.fixture
def made_meanwhile(kept: Rates, stack: Stack) -> Iterator[Callable[[], None]]:
    """An ExchangeRate that a user makes while the operator is away; it is served when it is back."""

    def create() -> None:
        kept.create("made-meanwhile", currency="CHF")

    yield create
    stack.wait_available()
    kept.wait("made-meanwhile")
    assert kept.data("made-meanwhile")["currency"] == "CHF"
    kept.delete("made-meanwhile")
    eventually(lambda: not kept.data("made-meanwhile"), "its ConfigMap went with it")


def restarted(stack: Stack, name: str, times: int) -> dict[str, Any]:
    """Wait until a Pod's container was restarted this often and is Ready; give its last end."""
    found: list[dict[str, Any]] = []

    def again() -> bool:
        (pod,) = stack.pods()
        assert pod["metadata"]["name"] == name, "the Pod was replaced, not restarted"
        (status,) = pod["status"]["containerStatuses"]
        found[:] = [status["lastState"].get("terminated", {})]
        return bool(status["restartCount"] >= times and status["ready"])

    eventually(again, f"{name} was restarted and is ready", lambda: str(stack.pods()))
    return found[0]


def restarts(pod: dict[str, Any]) -> int:
    """Give how often a Pod's container was restarted."""
    return int(pod["status"]["containerStatuses"][0]["restartCount"])


def test_a_killed_process_is_restarted(stack: Stack, inside: Node, made_meanwhile: Callable[[], None]) -> None:
    """By SIGKILL: no clean-up of its own is needed."""
    pod = stack.wait_available()
    (pid,) = inside.pids(pod)
    os.kill(pid, signal.SIGKILL)
    made_meanwhile()
    ended = restarted(stack, pod["metadata"]["name"], restarts(pod) + 1)
    assert ended["exitCode"] == 137


def test_it_ends_by_itself_when_told_to(stack: Stack, inside: Node, kept: Rates) -> None:
    """SIGTERM, which is how a Pod's end begins: exit code 0, well within the grace period."""
    assert kept.data("exchange-rate-usd")
    pod = stack.wait_available()
    with inside.watch(PODS) as watch:
        stack.client.delete(pod_reference(pod))

        def gone() -> bool:
            return any(
                kind == "DELETED" and body["metadata"]["uid"] == pod["metadata"]["uid"] for kind, body in watch.events
            )

        eventually(gone, "the Pod is gone", lambda: inside.story(OPERATOR))
        ends = [
            body["status"]["containerStatuses"][0]["state"]["terminated"]
            for _, body in watch.events
            if body["metadata"]["uid"] == pod["metadata"]["uid"]
            and "terminated" in body["status"]["containerStatuses"][0]["state"]
        ]
    assert [end["exitCode"] for end in ends[-1:]] == [0]
    stack.wait_available()


def test_out_of_memory_is_survived(stack: Stack, inside: Node, made_meanwhile: Callable[[], None]) -> None:
    """The kernel kills the process at the container's limit, and a user sees that it was the memory."""
    pod = stack.wait_available()
    group, limit = inside.cgroup(pod, "memory"), inside.memory_limit(pod)
    assert limit < 2**30, "so much is not to be filled on this machine"
    fill = Path("/dev/shm") / f"exchange-rate-node-{os.getpid()}"  # noqa: S108 - memory that cannot be swapped out
    script = 'echo $$ >"$1/cgroup.procs" && exec dd if=/dev/zero of="$2" bs=1M count="$3" status=none'
    try:
        count = str(limit // 2**20)
        # Its own size is small: of the two processes in the container's cgroup it is not the one that is killed.
        subprocess.run(["sh", "-c", script, "fill", str(group), str(fill), count], check=False, timeout=60.0)
        ended = restarted(stack, pod["metadata"]["name"], restarts(pod) + 1)
    finally:
        fill.unlink()
    made_meanwhile()
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_an_evicted_pod_is_replaced(stack: Stack, made_meanwhile: Callable[[], None]) -> None:
    """As `kubectl drain` does it: nothing stands against it, and another Pod takes over."""
    pod = stack.wait_available()
    reference = pod_reference(pod)
    metadata = {"name": reference.name, "namespace": reference.namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    stack.client.request("POST", f"{PODS}/{reference.name}/eviction", eviction)
    made_meanwhile()
    eventually(lambda: stack.client.get(reference) is None, "the evicted Pod is gone")
    assert stack.wait_available()["metadata"]["uid"] != pod["metadata"]["uid"]


def test_an_update_never_runs_two_at_once(
    stack: Stack, inside: Node, images: Images, operator_image: str, made_meanwhile: Callable[[], None]
) -> None:
    """Another image, by its digest: the old Pod has ended before the new one is made."""
    other = images.operator("0.0.1", "--opt=label:org.opencontainers.image.revision=another")
    assert other != operator_image
    with inside.watch(PODS) as watch:
        stack.apply(image={"ref": other})
        made_meanwhile()
        pod = stack.wait_available()
        events = list(watch.events)
    assert pod["spec"]["containers"][0]["image"] == other
    assert pod["status"]["containerStatuses"][0]["imageID"] == other
    assert most_at_once(events) == 1, [(kind, body["metadata"]["name"], body["status"]) for kind, body in events]


def most_at_once(events: list[tuple[str, dict[str, Any]]]) -> int:
    """Give how many Pods were there at most, other than those whose processes had ended."""
    there: set[str] = set()
    most = 0
    for kind, body in events:
        name, ended = str(body["metadata"]["name"]), body["status"]["phase"] in {"Succeeded", "Failed"}
        there = there - {name} if kind == "DELETED" or ended else there | {name}
        most = max(most, len(there))
    return most
