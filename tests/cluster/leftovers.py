"""What is on a control plane, to show that nothing is left of what was there in between."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from tests.cluster.waiting import WITHIN_S

from localcluster.client import Client
from localcluster.control_plane import ControlPlane
from localcluster.errors import ApiError
from localcluster.processes import wait_until


def settled_control_plane(client: Client) -> None:
    """Wait until a control plane has made all that it makes by itself."""
    seen: list[set[str]] = [set()]

    def settled() -> bool:
        seen.append(everything(client))
        return seen[-1] == seen[-2]

    assert wait_until(settled, WITHIN_S, poll_s=3.0), seen[-1] ^ seen[-2]


def everything(client: Client) -> set[str]:
    """Name every object that is not an event, of every kind that can be listed."""
    groups = client.request("GET", "/apis")["groups"]
    roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
    found = set()
    for root in roots:
        for resource in read(client, root).get("resources", ()):
            if "list" in resource["verbs"] and resource["name"] not in {"events", "componentstatuses", "leases"}:
                for item in read(client, f"{root}/{resource['name']}").get("items", ()):
                    metadata = item["metadata"]
                    found.add(f"{resource['name']} {metadata.get('namespace', '')}/{metadata['name']}")
    return found


def read(client: Client, path: str) -> dict[str, Any]:
    """Read a path; empty where there is nothing: discovery knows a kind that is going for a moment longer."""
    try:
        return client.request("GET", path)
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return {}


def assert_as_before(client: Client, before: set[str], within_s: float) -> None:
    """Wait until there is just what there was; garbage collection takes its time."""
    wait_until(lambda: everything(client) == before, within_s)
    now = everything(client)
    assert now == before, f"left over: {now - before}; missing: {before - now}"


def untouched(start: Callable[[], ControlPlane]) -> ControlPlane:
    """Start a control plane, and wait until it has made all that it makes by itself."""
    made = start()
    with Client(made.kubeconfig) as client:
        settled_control_plane(client)
    return made
