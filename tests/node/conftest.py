"""A real node for the session, the operator's image built from its Dockerfile, and the stack on it.

Where there can be no node the tests skip, and say why and what to install.
"""

import contextlib
import datetime as dt
import functools
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from tests.node.enclosure import sweep
from tests.node.images import Images
from tests.node.node import Node, condition, eventually
from tests.node.node_main import BRIDGE
from tests.node.programs import ensure_programs, what_is_missing

from exchangerates.api import API_VERSION, KIND, REFRESH_ANNOTATION
from exchangerates_infra.project import OPERATOR, PROJECT
from exchangerates_infra.recorder import record, stack_file_values
from localcluster.binaries import ensure_binaries
from localcluster.client import Client, Reference
from localcluster.rateserver import RateServer
from localcluster.stack import AppliedStack

LEAST_INTERVAL_S: Final = 1
"""The least time between two calls to a rate provider in the stack of these tests."""
KEY: Final = f"{PROJECT}:exchangeratesapiKey"


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


class Stack:
    """The stack `local` with a real image, as its resources were recorded.

    Args:
        node: Where it is applied.
        memory: The file that says what was applied.
        values: Values in place of the stack file's.
        environment: Further variables of the operator's container.

    Attributes:
        namespace: The operator's own.
    """

    def __init__(
        self, node: Node, memory: Path, values: Mapping[str, Any], environment: Mapping[str, str] | None = None
    ) -> None:
        self.client = node.client
        self.namespace = str(values.get("namespace", OPERATOR))
        self._deployment = Reference("apps/v1", "Deployment", self.namespace, OPERATOR)
        self._node = node
        self._applied = AppliedStack(node.client, memory)
        self._values = values
        self._environment = environment or {}

    def apply(self, **changed: object) -> None:
        """Apply it, with these keys of the stack file changed."""
        values = stack_file_values("local", {**self._values, **changed})
        manifests = record("local", values, secret_keys=(KEY,)).manifests()
        (deployment,) = [manifest for manifest in manifests if manifest["kind"] == "Deployment"]
        variables = [{"name": name, "value": value} for name, value in self._environment.items()]
        deployment["spec"]["template"]["spec"]["containers"][0]["env"] += variables
        self._applied.apply(manifests)

    def scale(self, replicas: int) -> None:
        """Have so many Pods, until it is applied the next time."""
        self.client.patch(self._deployment, {"spec": {"replicas": replicas}})

    def deployment(self) -> dict[str, Any]:
        """Read the Deployment."""
        return self.client.get(self._deployment) or {}

    def pods(self) -> list[dict[str, Any]]:
        """Read the operator's Pods that are not on their way out."""
        found = self.client.items("v1", "Pod", self.namespace)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def is_available(self) -> bool:
        """Tell whether the Deployment, as it is now, is rolled out and its only Pod Ready."""
        body = self.deployment()
        status = body["status"]
        current = status.get("observedGeneration") == body["metadata"]["generation"]
        one = [status.get(key) for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
        # The Deployment's own account may be older than what its Pods are by now.
        ready = [condition(pod, "Ready").get("status") for pod in self.pods()]
        return current and one == [1, 1, 1, 1] and ready == ["True"]

    def log(self, pod: dict[str, Any], *, previous: bool = False) -> str:
        """Read a Pod's log, or that of its container before this one."""
        return self._node.log(self.namespace, pod["metadata"]["name"], previous=previous)

    def told(self, pod: dict[str, Any]) -> set[str]:
        """Read what events say of a Pod."""
        events = self.client.items("v1", "Event", self.namespace)
        return {event["message"] for event in events if event["involvedObject"]["name"] == pod["metadata"]["name"]}

    def wait_available(self) -> dict[str, Any]:
        """Wait until it is available, and give its Pod."""
        eventually(self.is_available, "the operator is available", lambda: self._node.story(self.namespace))
        (pod,) = self.pods()
        return pod


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


class Rates:
    """ExchangeRates and ConfigMaps of one namespace, as a user sees them."""

    def __init__(self, client: Client, namespace: str = "default") -> None:
        self._client = client
        self._namespace = namespace

    def create(self, name: str, **spec: object) -> None:
        """Create an ExchangeRate."""
        metadata = {"name": name, "namespace": self._namespace}
        self._client.create({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})

    def delete(self, name: str) -> None:
        """Delete an ExchangeRate."""
        self._client.delete(Reference(API_VERSION, KIND, self._namespace, name))

    def refresh(self, name: str) -> None:
        """Ask for a newer quote at once."""
        metadata = {"annotations": {REFRESH_ANNOTATION: secrets.token_hex(4)}}
        self._client.patch(Reference(API_VERSION, KIND, self._namespace, name), {"metadata": metadata})

    def ready(self, name: str) -> dict[str, Any]:
        """Give an ExchangeRate's condition Ready; empty before it has one."""
        return condition(self._client.get(Reference(API_VERSION, KIND, self._namespace, name)) or {}, "Ready")

    def wait(self, name: str, reason: str = "Published") -> None:
        """Wait until Ready has a reason."""
        eventually(
            lambda: self.ready(name).get("reason") == reason, f"{name} is {reason}", lambda: str(self.ready(name))
        )

    def data(self, name: str) -> dict[str, str]:
        """Read a ConfigMap's data; empty where there is none."""
        found: dict[str, str] = (self._client.get(Reference("v1", "ConfigMap", self._namespace, name)) or {}).get(
            "data", {}
        )
        return found

    def versions(self) -> dict[str, tuple[str, str]]:
        """Give the uid and the version of every ExchangeRate and its ConfigMap: what nobody writes, keeps both."""
        kinds = ((API_VERSION, KIND), ("v1", "ConfigMap"))
        listed = [body for kind in kinds for body in self._client.items(*kind, self._namespace)]
        return {
            f"{body['kind']} {body['metadata']['name']}": (body["metadata"]["uid"], body["metadata"]["resourceVersion"])
            for body in listed
            if body["metadata"]["name"] != "kube-root-ca.crt"
        }


@pytest.fixture
def user(stack: Stack) -> Rates:
    """A user of namespace `default`, where the stack's own rates are published."""
    rates = Rates(stack.client)
    for name in ("exchange-rate-usd", "exchange-rate-gbp", "exchange-rate-jpy", "exchange-rate-usd-jpy"):
        eventually(functools.partial(rates.data, name), f"{name} is published")
        rates.wait(name)
    return rates
