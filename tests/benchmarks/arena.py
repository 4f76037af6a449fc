"""A control plane for one measurement: with the stack, the stand-in rate server, and what the API server was asked."""

import asyncio
import datetime as dt
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import requests.utils
from tests.benchmarks.access import Access, Write, exchange_rates, write_all
from tests.cluster.locked_down import Authority

from exchangerates.api import API_VERSION, KIND
from exchangerates_infra.project import OPERATOR
from exchangerates_infra.recorder import record, stack_file_values
from localcluster.binaries import ensure_binaries
from localcluster.client import Client
from localcluster.control_plane import ControlPlane
from localcluster.processes import wait_until
from localcluster.rateserver import RateServer
from localcluster.stack import AppliedStack

NAMESPACE: Final = "benchmark"
CURRENCIES: Final = ("USD", "JPY", "GBP", "CHF", "SEK")
DAY: Final = dt.date(2026, 10, 30)
POLL_S: Final = 0.2
CREATORS: Final = 20
"""How many users, so to speak, make their objects at once."""
READS: Final = frozenset({"get", "list", "watch"})


class Request(NamedTuple):
    """One finished request, as the audit log has it.

    Attributes:
        verb: Such as `patch`.
        resource: With its subresource: `exchangerates/status`.
        at_s: When it was answered, in seconds since 1970.
    """

    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    at_s: float


class Audit:
    """The requests that the API server has answered since this was made, as far as `read` was called."""

    def __init__(self, log: Path) -> None:
        self._file = log.open("rb")
        self._file.seek(0, 2)
        self._rest = b""
        self.requests: list[Request] = []

    def read(self) -> list[Request]:
        """Take up what was written since; give all."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        self.requests += [_request(json.loads(line)) for line in lines]
        return self.requests

    def close(self) -> None:
        """Close the log."""
        self._file.close()


def _request(entry: dict[str, Any]) -> Request:
    subject = entry.get("objectRef", {})
    return Request(
        user=entry["user"].get("username", ""),
        verb=entry["verb"],
        resource="/".join(filter(None, [subject.get("resource", entry["requestURI"]), subject.get("subresource")])),
        namespace=subject.get("namespace", ""),
        name=subject.get("name", ""),
        code=entry.get("responseStatus", {}).get("code", 0),
        at_s=dt.datetime.fromisoformat(entry["stageTimestamp"]).timestamp(),
    )


def verbs(requests: Iterable[Request]) -> Counter[str]:
    """Count requests by verb and resource: `create configmaps`."""
    return Counter(f"{request.verb} {request.resource}" for request in requests)


class Arena:
    """The control plane and what is on it; see `arena`.

    Attributes:
        directory: For the contenders' logs.
        client: An administrator's.
        control_plane: The API server's processes.
        rates: The stand-in rate server.
        rates_urls: Its addresses, by rate provider.
        trusted: The certificate authorities that are trusted: the public ones, and the stand-in's.
        administrator: How an administrator reaches the API server.
        account: How the operator's account does.
        kubeconfig: The same as a file.
        environment: What the Deployment sets, with the stand-in's addresses.
    """

    def __init__(
        self, directory: Path, control_plane: ControlPlane, client: Client, rates: RateServer, trusted: Path
    ) -> None:
        self.directory, self.control_plane, self.client, self.rates = directory, control_plane, client, rates
        self.trusted = trusted
        self.rates_urls = {name: url.replace("http://", "https://") for name, url in rates.urls().items()}
        recording = record("local", stack_file_values("local", {"rates": [], "providerUrls": self.rates_urls}))
        AppliedStack(client, directory / "applied.json").apply(recording.manifests())
        (deployment,) = [manifest for manifest in recording.manifests() if manifest["kind"] == "Deployment"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        self.environment = {entry["name"]: entry["value"] for entry in container["env"]}
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        self.kubeconfig = control_plane.service_account_kubeconfig(
            OPERATOR, OPERATOR, directory / "operator.kubeconfig"
        )
        pki = directory / "control-plane" / "pki"
        authority = str(pki / "authority.crt")
        self.account = Access(control_plane.server, authority, token_file=f"{self.kubeconfig}.token")
        self.administrator = Access(
            control_plane.server, authority, certificate=str(pki / "admin.crt"), key=str(pki / "admin.key")
        )

    def memory_mb(self) -> dict[str, float]:
        """Give the resident memory of each process of the control plane, in MB."""
        return {part.name: memory_mb(part.pid) for part in self.control_plane.components if part.pid is not None}

    def stored_mb(self) -> float:
        """Give the size of etcd's database, in MB."""
        return (self.directory / "control-plane" / "etcd" / "member" / "snap" / "db").stat().st_size / 1e6

    @contextmanager
    def audit(self) -> Iterator[Audit]:
        """Begin to read the audit log."""
        log = Audit(self.control_plane.audit_log)
        try:
            yield log
        finally:
            log.close()

    def create(self, names: Iterable[str], namespace: str = NAMESPACE, /, **spec: object) -> None:
        """Create ExchangeRates, `CREATORS` at once."""

        def batches() -> Iterator[list[Write]]:
            for number, name in enumerate(names):
                metadata = {"name": name, "namespace": namespace}
                wanted = {"currency": CURRENCIES[number % len(CURRENCIES)], **spec}
                body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": wanted}
                yield [Write("POST", exchange_rates(namespace), body)]

        async def write() -> None:
            async with self.administrator.open() as session:
                await write_all(session, batches(), CREATORS)

        asyncio.run(write())

    def delete_all(self) -> None:
        """Ask for the deletion of all ExchangeRates."""
        self.client.request("DELETE", exchange_rates(NAMESPACE))

    def move_rates(self, factor: str) -> None:
        """Have every rate quoted anew: `1.0010` for a tenth of a percent more."""
        self.rates.replay(DAY)
        for currency in CURRENCIES:
            digits = self.rates.table.rates[currency]
            self.rates.set_rate(currency, f"{float(digits) * float(factor):.6f}")


@contextmanager
def arena() -> Iterator[Arena]:
    """Start a control plane in a directory of its own; both are gone afterwards."""
    with ExitStack() as until_the_end:
        directory = Path(until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        control_plane = ControlPlane(directory / "control-plane", ensure_binaries(print))
        until_the_end.callback(control_plane.stop)
        control_plane.start(print)
        client = until_the_end.enter_context(Client(control_plane.kubeconfig))
        authority = Authority(directory, "authority")
        rates = until_the_end.enter_context(_rate_server(authority))
        trusted = directory / "trusted.crt"
        trusted.write_bytes(Path(requests.utils.DEFAULT_CA_BUNDLE_PATH).read_bytes() + authority.file.read_bytes())
        yield Arena(directory, control_plane, client, rates, trusted)


def _rate_server(authority: Authority) -> RateServer:
    """Give the stand-in, with TLS as every rate provider has it: a call for each object pays for it each time."""
    server = RateServer()
    server.socket = authority.server_context("127.0.0.1").wrap_socket(
        server.socket,
        server_side=True,
        do_handshake_on_connect=False,  # it is each call's own thread that makes it
    )
    server.replay(DAY)
    return server


def memory_mb(pid: int, field: str = "VmRSS") -> float:
    """Give a process's resident memory in MB, or with `VmHWM` the most that it has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{field}:"))


def names(count: int, prefix: str = "rate") -> list[str]:
    """Give so many objects' names."""
    return [f"{prefix}-{number:05d}" for number in range(count)]


def wait(reached: object, what: str, within_s: float) -> None:
    """Wait for what a contender has to reach.

    Raises:
        TimeoutError: It was not reached in time.
    """
    if not callable(reached) or not wait_until(reached, within_s, poll_s=POLL_S):
        raise TimeoutError(f"not within {within_s:.0f} s: {what}")
