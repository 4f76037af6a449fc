"""A real control plane for the session, the stack on it, and the operator as a real process under its own account."""

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests
from tests.cluster import planted
from tests.cluster.audit import Audit, granted

from exchangerates.api import API_KEYS, API_VERSION, KIND, PLURAL, Env
from exchangerates_infra import recorder
from exchangerates_infra.recorder import Recording, record, stack_file_values
from localcluster.binaries import ensure_binaries
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.processes import Process, wait_until
from localcluster.rateserver import RateServer
from localcluster.stack import AppliedStack

OPERATOR_NAMESPACE = "exchange-rate-operator"
ACCOUNT = "exchange-rate-operator"
WITHIN_S = 30.0

_COMMAND = (sys.executable, "-m", "exchangerates")

StartOperator = Callable[..., "Operator"]


def eventually(reached: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    """Poll until something holds."""
    assert wait_until(reached, within_s, poll_s=0.05), f"not within {within_s:.0f} s: {what}"


@pytest.fixture(scope="session", autouse=True)
def programs_are_seen() -> Iterator[None]:
    """Let the search for the key see what each Pulumi program registers."""
    make = recorder._recording  # noqa: SLF001 - where every run ends

    def seen(monitor: Any) -> Recording:  # noqa: ANN401 - passed on
        planted.SEEN.append(make(monitor))
        return planted.SEEN[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recorder, "_recording", seen)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Function) -> Generator[None, object, object]:
    """Search for the planted key after every test, while all that it has brought about is there."""
    result = yield
    found = list[str]()
    for given in item.funcargs.values():
        found += planted.in_cluster(given) if isinstance(given, Client) else []
    if isinstance(directory := item.funcargs.get("tmp_path"), Path):
        found += planted.in_files(directory)
    while Operator.started:
        found += planted.in_texts(Operator.started.pop().texts())
    while planted.SEEN:
        found += planted.in_recording(planted.SEEN.pop())
    if found:
        pytest.fail(f"the planted API key is told by: {', '.join(found)}", pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Search what pytest has captured of the test, and would show."""
    report = yield
    if told := planted.in_texts(report.sections):
        report.outcome = "failed"
        report.longrepr = f"the planted API key is told by: {', '.join(told)}"
    return report


@pytest.fixture(scope="session")
def binaries(pytestconfig: pytest.Config) -> Path:
    """The control plane's programs; building them takes minutes, so the way there is shown."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def show(text: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\n{text}\n")

    return ensure_binaries(show)


@pytest.fixture(scope="session")
def start_control_plane(
    binaries: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], ControlPlane]]:
    """Start control planes that end with the session."""
    started: list[ControlPlane] = []

    def start() -> ControlPlane:
        control_plane = ControlPlane(tmp_path_factory.mktemp("control-plane"), binaries)
        started.append(control_plane)
        control_plane.start(print)
        return control_plane

    yield start
    for control_plane in started:
        control_plane.stop()


@pytest.fixture(scope="session")
def control_plane(start_control_plane: Callable[[], ControlPlane]) -> ControlPlane:
    """The session's control plane."""
    return start_control_plane()


@pytest.fixture(scope="session")
def client(control_plane: ControlPlane) -> Iterator[Client]:
    """An administrator's client."""
    with Client(control_plane.kubeconfig) as made:
        yield made


@pytest.fixture(scope="module")
def admin(control_plane: ControlPlane) -> Iterator[Client]:
    """The administrator of a module's own control plane, where it has one."""
    with Client(control_plane.kubeconfig) as made:
        yield made


@pytest.fixture(scope="session")
def recording() -> Recording:
    """The local stack's program without rates of its own."""
    return record("local", stack_file_values("local", {"rates": []}))


@pytest.fixture(scope="session")
def stack(
    client: Client, recording: Recording, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppliedStack]:
    """What the Pulumi program provisions, on the session's control plane.

    In the end, whatever the tests have made the operator do, it has used no right that it was not given.
    """
    applied = AppliedStack(client, tmp_path_factory.mktemp("stack") / "applied.json")
    applied.apply(recording.manifests())
    yield applied
    log = Audit(control_plane.audit_log, whole=True)
    assert log.refused() == []
    assert log.used() <= granted(recording, OPERATOR_NAMESPACE)


@pytest.fixture
def rates() -> Iterator[RateServer]:
    """The stand-in rate server with the ECB's table of 2026-10-30."""
    with RateServer(key=planted.KEY) as server:
        server.replay(dt.date(2026, 10, 30))
        yield server


class Operator:
    """The operator's process. It always has API keys, whether or not it uses them.

    Attributes:
        started: Those that were made since the last search for the key.
    """

    started: ClassVar[list["Operator"]] = []

    def __init__(self, directory: Path, kubeconfig: Path, environment: dict[str, str]) -> None:
        self.process = Process(directory, "operator")
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory),
            "KUBECONFIG": str(kubeconfig),
            **dict.fromkeys(API_KEYS.values(), planted.KEY),
            **environment,
            Env.HTTP_ADDRESS: "127.0.0.1:0",
        }
        self._address = ""
        self._ended = ""
        self.started.append(self)

    def start(self, **environment: str) -> None:
        """Start it and wait until it has listed everything."""
        self.launch(**environment)
        eventually(self.is_ready, f"the operator is ready: {self.process.tail()}")

    def launch(self, **environment: str) -> None:
        """Start it."""
        self._address = ""
        self.process.start(_COMMAND, {**self._environment, **environment})

    def run_to_end(self, **environment: str) -> tuple[int, str]:
        """Run it until it ends by itself; give its exit code and its log."""
        ended = subprocess.run(
            _COMMAND, env={**self._environment, **environment}, capture_output=True, text=True, check=False, timeout=180
        )
        self._ended += ended.stdout + ended.stderr
        return ended.returncode, ended.stdout + ended.stderr

    def stop(self) -> None:
        """End it by SIGTERM."""
        self.process.stop()

    def is_ready(self) -> bool:
        """Tell whether /readyz says so."""
        return self.process.pid is not None and self.get("/readyz").startswith("ok")

    def texts(self) -> Iterator[tuple[str, str]]:
        """Give what it tells to whoever may read it: its log, what it printed, and what its HTTP server answers."""
        log = self.process.log
        yield "the log", log.read_text(errors="replace") if log.exists() else ""
        yield "the output", self._ended
        if self.process.pid is not None:
            for path in ("/metrics", "/healthz", "/readyz"):
                yield path, self.get(path)

    def address(self) -> str:
        """Give the address of its HTTP server; empty before it listens."""
        marker = "health and metrics are served on "
        for line in self.process.log.read_text().splitlines() if not self._address else ():
            if marker in line:
                self._address = json.loads(line)["message"].removeprefix(marker)
        return self._address

    def get(self, path: str) -> str:
        """Ask its HTTP server; empty while it does not listen."""
        if not self.address():
            return ""
        try:
            return requests.get(f"http://{self._address}{path}", timeout=5).text
        except requests.RequestException:
            return ""

    def metric(self, series: str) -> float:
        """Give the value of a series of its metrics, 0 where there is none."""
        lines = self.get("/metrics").splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{series} "))

    def passes(self, reason: str) -> float:
        """Count the passes that ended with a reason."""
        return self.metric(f'exchangerates_reconciles_total{{reason="{reason}"}}')


def operator_environment(recording: Recording, rates: RateServer) -> dict[str, str]:
    """Give what the Deployment sets, with the stand-in's addresses in place of the public ones."""
    (deployment,) = [manifest for manifest in recording.manifests() if manifest["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    return {**environment, Env.PROVIDER_URLS: ",".join(f"{name}={url}" for name, url in rates.urls().items())}


@pytest.fixture
def start_operator(
    stack: AppliedStack, recording: Recording, control_plane: ControlPlane, rates: RateServer, tmp_path: Path
) -> Iterator[StartOperator]:
    """Start the operator with the Deployment's environment, its own account's token, and the stand-in's rates."""
    assert stack.references()
    kubeconfig = control_plane.service_account_kubeconfig(OPERATOR_NAMESPACE, ACCOUNT, tmp_path / "operator.kubeconfig")
    operator = Operator(tmp_path, kubeconfig, operator_environment(recording, rates))

    def start(**changed: str) -> Operator:
        operator.start(**changed)
        return operator

    yield start
    operator.stop()


@pytest.fixture
def operator(start_operator: StartOperator) -> Operator:
    """The running operator."""
    return start_operator()


class Namespace:
    """A namespace of its own for one test, and what a user does in it."""

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self._client = client

    def rate(self, name: str = "exchange-rate-usd", /, **spec: object) -> Reference:
        """Create an ExchangeRate; `currency` is USD where the spec says nothing."""
        metadata = {"name": name, "namespace": self.name}
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {"currency": "USD", **spec}}
        return Reference.of(self._client.create(body))

    def change(self, name: str, **spec: object) -> None:
        """Change fields of an ExchangeRate's spec."""
        self._client.patch(Reference(API_VERSION, KIND, self.name, name), {"spec": spec})

    def find(self, name: str) -> dict[str, Any] | None:
        """Read an ExchangeRate, or None."""
        return self._client.get(Reference(API_VERSION, KIND, self.name, name))

    def get(self, name: str) -> dict[str, Any]:
        """Read an ExchangeRate; it never has a finalizer."""
        body = self.find(name)
        assert body is not None, f"no ExchangeRate {name}"
        assert "finalizers" not in body["metadata"]
        return body

    def config_map(self, name: str = "exchange-rate-usd") -> dict[str, Any] | None:
        """Read a ConfigMap, or None."""
        return self._client.get(Reference("v1", "ConfigMap", self.name, name))

    def data(self, name: str = "exchange-rate-usd") -> dict[str, str]:
        """Read a ConfigMap's data; empty where there is none."""
        found: dict[str, str] = (self.config_map(name) or {}).get("data") or {}
        return found

    def ready(self, name: str = "exchange-rate-usd") -> tuple[str, str]:
        """Give the status and the reason of Ready for the current generation; empty before that."""
        body = self.get(name)
        for condition in (body.get("status") or {}).get("conditions") or []:
            if condition["type"] == "Ready" and condition["observedGeneration"] == body["metadata"]["generation"]:
                return condition["status"], condition["reason"]
        return "", ""

    def wait(self, name: str = "exchange-rate-usd", reason: str = "Published", within_s: float = WITHIN_S) -> None:
        """Wait until Ready has a reason."""
        eventually(lambda: self.ready(name)[1] == reason, f"{name} is {reason}, not {self.ready(name)}", within_s)


@pytest.fixture
def namespace(client: Client, stack: AppliedStack, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A fresh namespace. Afterwards its objects are gone before the next test's operator could see them."""
    assert stack.references()
    name = f"t-{abs(hash(request.node.nodeid)):x}"[:20]
    reference = Reference("v1", "Namespace", "", name)
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield Namespace(client, name)
    client.request("DELETE", f"/apis/{API_VERSION}/namespaces/{name}/{PLURAL}")
    eventually(lambda: not client.items(API_VERSION, KIND, name), "the test's objects are gone")
    client.delete(reference)


@pytest.fixture
def audit(control_plane: ControlPlane) -> Callable[[], Audit]:
    """Begin to read the audit log."""
    return lambda: Audit(control_plane.audit_log)
