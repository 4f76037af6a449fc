"""A real control plane for the session, the stack on it, and the operator as a real process under its own account."""

import datetime as dt
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import planted
from tests.cluster.audit import Audit, granted
from tests.cluster.operator_process import ACCOUNT, OPERATOR_NAMESPACE, Operator, StartOperator, operator_environment
from tests.cluster.tenant import Tenant, hostile_tenant
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, KIND, PLURAL
from exchangerates_infra import recorder
from exchangerates_infra.recorder import Recording, record, stack_file_values
from localcluster.binaries import ensure_binaries
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.rateserver import RateServer
from localcluster.stack import AppliedStack


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


@contextmanager
def control_planes(binaries: Path, directories: pytest.TempPathFactory) -> Iterator[Callable[[], ControlPlane]]:
    """Start control planes that end with the block."""
    with ExitStack() as started:

        def start() -> ControlPlane:
            control_plane = ControlPlane(directories.mktemp("control-plane"), binaries)
            started.callback(control_plane.stop)
            control_plane.start(print)
            return control_plane

        yield start


@pytest.fixture(scope="module")
def start_control_plane(
    binaries: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], ControlPlane]]:
    """Start control planes that end with the module: idle ones would take from the others what they have."""
    with control_planes(binaries, tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="session")
def control_plane(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The session's control plane."""
    with control_planes(binaries, tmp_path_factory) as start:
        yield start()


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
def tenant(namespace: Namespace, client: Client, control_plane: ControlPlane, tmp_path: Path) -> Iterator[Tenant]:
    """Somebody who means harm to others; `namespace` is the victims'."""
    with hostile_tenant(namespace, client, control_plane, tmp_path) as made:
        yield made


@pytest.fixture
def audit(control_plane: ControlPlane) -> Callable[[], Audit]:
    """Begin to read the audit log."""
    return lambda: Audit(control_plane.audit_log)
