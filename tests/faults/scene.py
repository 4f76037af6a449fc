"""One operator on one control plane, with a gate before the API server, the market, and the observer."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from tests.cluster.operator_process import ACCOUNT, OPERATOR_NAMESPACE, Operator, operator_environment
from tests.cluster.waiting import eventually
from tests.faults.gate import Gate
from tests.faults.invariant import Invariant
from tests.faults.market import OVER, Market

from exchangerates.api import (
    API_VERSION,
    FIELD_MANAGER,
    KIND,
    MANAGED_BY_LABEL,
    PLURAL,
    REFRESH_ANNOTATION,
    Condition,
    Env,
    Key,
)
from exchangerates_infra.recorder import Recording
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.processes import wait_until
from localcluster.rateserver import RateServer

PROVIDERS: Final = ("frankfurter", "ecb", "exchangeratesapi")
LEFT_WITHIN_S: Final = 120.0
READY_WITHIN_S: Final = 30.0
"""After a fault's end, without a restart by hand."""
SPECS: Final[tuple[Mapping[str, object], ...]] = (
    {"currency": "USD"},
    {"currency": "JPY", "base": "USD"},
    {"currencies": ["GBP", "USD", "EUR"]},
    {"currency": "USD", "provider": "ecb"},
    {"currency": "USD", "provider": "exchangeratesapi"},
    {"currency": "USD", "date": OVER[0]},
)
"""One of each kind: direct, crossed, a set, pinned to the other providers, and of a day that is over."""


@dataclass
class Scene:
    """What is there.

    Attributes:
        client: An administrator's client.
        directory: Of the operator's files.
    """

    control_plane: ControlPlane
    client: Client
    market: Market
    operator: Operator
    gate: Gate
    invariant: Invariant
    directory: Path
    _serial: Iterator[int] = field(default_factory=count)

    def namespace(self, name: str) -> str:
        """Make a namespace."""
        self.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def create(self, namespace: str, name: str, spec: Mapping[str, object]) -> None:
        """Create an ExchangeRate."""
        metadata = {"name": name, "namespace": namespace}
        self.client.create({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": dict(spec)})

    def one_of_each(self, namespace: str, prefix: str) -> None:
        """Create one object of each kind."""
        for number, spec in enumerate(SPECS):
            self.create(namespace, f"{prefix}-{number}", spec)

    def settle(self, *namespaces: str, wishing: bool = False) -> None:
        """See that nothing is forgotten: all are Ready in time, new ones too, and then take a new day's rates.

        Args:
            namespaces: Where the objects are; the new ones are in the first.
            wishing: Whether who is not Ready wishes for a newer quote.
        """
        self.market.move()
        probe = f"probe-{next(self._serial)}"
        self.one_of_each(namespaces[0], probe)
        self.wait(*namespaces, wishing=wishing)
        for number in range(len(SPECS)):
            self.client.delete(Reference(API_VERSION, KIND, namespaces[0], f"{probe}-{number}"))
        self.wait(*namespaces, today=self.market.today, wishing=True)
        assert self.invariant.violations == [], self.invariant.violations

    def wish(self, namespace: str, *names: str) -> None:
        """Wish for a newer quote for objects; the rate providers' least intervals hold all the same."""
        wish = {"metadata": {"annotations": {REFRESH_ANNOTATION: str(next(self._serial))}}}
        for name in names:
            self.client.patch(Reference(API_VERSION, KIND, namespace, name), wish)

    def wait(self, *namespaces: str, today: str = "", wishing: bool = False, within_s: float = READY_WITHIN_S) -> None:
        """Wait until all objects are Ready, with the rates of a day where one is given."""
        complaints: dict[str, dict[str, str]] = {}

        def settled() -> bool:
            for namespace in namespaces:
                complaints[namespace] = self.unsettled(namespace, today)
                if wishing:
                    self.wish(namespace, *complaints[namespace])
            return not any(complaints.values())

        assert wait_until(settled, within_s, poll_s=0.5 if wishing else 0.1), (
            f"not within {within_s:.0f} s: all are Ready: {complaints}; {self.operator.process.tail()}"
        )

    def unsettled(self, namespace: str, today: str = "") -> dict[str, str]:
        """Say of each object that is not as it should be why not, by its name."""
        maps: dict[str, list[dict[str, Any]]] = {}
        for body in self.client.items("v1", "ConfigMap", namespace):
            for owner in body["metadata"].get("ownerReferences") or ():
                maps.setdefault(owner["uid"], []).append(body)
        rates = self.client.items(API_VERSION, KIND, namespace)
        complaints = {body["metadata"]["name"]: _complaint(body, maps, today) for body in rates}
        return {name: complaint for name, complaint in complaints.items() if complaint}

    def remove(self, *namespaces: str) -> None:
        """Delete the objects of namespaces, and these."""
        for namespace in namespaces:
            self.client.request("DELETE", f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}")
            eventually(lambda n=namespace: not self.client.items(API_VERSION, KIND, n), "the objects are gone")  # type: ignore[misc] # bound now
            self.client.delete(Reference("v1", "Namespace", "", namespace))

    def kill_operator(self) -> None:
        """End the operator's process by SIGKILL."""
        pid = self.operator.process.pid
        assert pid is not None, self.operator.process.tail()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: self.operator.process.pid is None, "the operator is no more")

    def shift_clock(self, seconds: float) -> None:
        """Set the operator's time of day off by so many seconds."""
        file = self.directory / "shift"
        half = file.with_suffix(".half")
        half.write_text(str(seconds))
        half.replace(file)

    def unresolve(self, *, ended: bool = False) -> None:
        """Make the name of frankfurter's host one that cannot be resolved, or end that."""
        file = self.directory / "unresolved"
        file.unlink(missing_ok=True) if ended else file.touch()


def _complaint(body: Mapping[str, Any], maps: Mapping[str, list[dict[str, Any]]], today: str) -> str:
    metadata, spec, status = body["metadata"], body["spec"], body.get("status") or {}
    ready: Mapping[str, Any] = next(
        (found for found in status.get("conditions") or () if found["type"] == Condition.READY), {}
    )
    if (ready.get("status"), ready.get("observedGeneration")) != ("True", metadata["generation"]):
        return f"Ready is {ready or 'not told'} for generation {metadata['generation']}"
    own = maps.get(metadata["uid"], [])
    if [found["metadata"]["name"] for found in own] != [status["configMapName"]]:
        return f"its ConfigMaps are {[found['metadata']['name'] for found in own]}"
    data = own[0].get("data") or {}
    wanted = {Key.BASE: spec.get("base", "EUR"), **({Key.PROVIDER: spec["provider"]} if "provider" in spec else {})}
    wanted |= {Key.CURRENCY: spec["currency"]} if "currency" in spec else {Key.CURRENCIES: ",".join(spec["currencies"])}
    if any(data.get(key) != value for key, value in wanted.items()):
        return f"{data} is not for {spec}"
    if today and "date" not in spec and data[Key.DATE] != today:
        return f"its rate is of {data[Key.DATE]}, not of {today}"
    return "it has a finalizer" if "finalizers" in metadata else ""


def _published(client: Client) -> list[str]:
    labels = {body["metadata"]["name"]: body["metadata"].get("labels", {}) for body in client.items("v1", "ConfigMap")}
    return [name for name, held in labels.items() if held.get(MANAGED_BY_LABEL) == FIELD_MANAGER]


@contextmanager
def scene(control_plane: ControlPlane, recording: Recording, directory: Path, **environment: str) -> Iterator[Scene]:
    """Start an operator on a control plane that has the stack, with all that faults take."""
    with ExitStack() as opened:
        client = opened.enter_context(Client(control_plane.kubeconfig))
        rates = opened.enter_context(RateServer())
        market = Market(rates)
        gate = opened.enter_context(Gate(control_plane.server))
        pki = control_plane.audit_log.parent / "pki"
        # What tests before have left to garbage collection was quoted in another market.
        eventually(lambda: not _published(client), "the ConfigMaps of earlier tests are gone", LEFT_WITHIN_S)
        invariant = opened.enter_context(Invariant(control_plane.server, pki, market))
        original = control_plane.service_account_kubeconfig(OPERATOR_NAMESPACE, ACCOUNT, directory / "account")
        settings = {
            **operator_environment(recording, rates),
            Env.PROVIDERS: ",".join(PROVIDERS),
            Env.EXCHANGERATESAPI_KEY: rates.key,
            Env.MIN_FETCH_INTERVALS: ",".join(f"{provider}=1s" for provider in PROVIDERS),
            Env.MAX_AGE: "87600h",
            "PYTHONPATH": str(Path(__file__).parent / "in_operator"),
            "FAULTS_SHIFT": str(directory / "shift"),
            "FAULTS_UNRESOLVED": str(directory / "unresolved"),
            **environment,
        }
        settings[Env.PROVIDER_URLS] = settings[Env.PROVIDER_URLS].replace(
            rates.url("frankfurter"), rates.url("frankfurter").replace("127.0.0.1", "rates.test"), 1
        )
        operator = Operator(directory, gate.kubeconfig(original, directory / "through-gate"), settings)
        made = Scene(control_plane, client, market, operator, gate, invariant, directory)
        made.shift_clock(0)
        operator.start()
        opened.callback(operator.stop)
        yield made


@contextmanager
def settled_scene(control_plane: ControlPlane, recording: Recording, directory: Path) -> Iterator[Scene]:
    """Give a scene that serves one object of each kind, in a namespace that is called as the directory is."""
    name = directory.name
    with scene(control_plane, recording, directory) as made:
        made.namespace(name)
        made.one_of_each(name, "rate")
        made.settle(name)
        yield made
        made.remove(name)
