"""etcd, kube-apiserver and kube-controller-manager on loopback, in one directory, until they are stopped.

There is no scheduler and no node: objects, garbage collection, namespaces, RBAC and admission are real, Pods are not
run.
"""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import requests
import yaml

from localcluster.client import Client, Reference
from localcluster.errors import LocalClusterError
from localcluster.kubeconfig import embedded, write_kubeconfig, write_private
from localcluster.pki import SERVICE_RANGE, Pki
from localcluster.processes import Process, wait_until
from localcluster.workspace import is_free

Report = Callable[[str], None]

STARTED_WITHIN_S: Final = 90.0
_ATTEMPTS: Final = 3
_HEALTH: Final = {
    "etcd": ("http", "/health"),
    "kube-apiserver": ("https", "/readyz"),
    "kube-controller-manager": ("https", "/healthz"),
}
_PORTS: Final = ("etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager")
_AUDIT_RULES: Final = {"omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}]}
_AUDIT_POLICY: Final = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", **_AUDIT_RULES}


class ControlPlane:
    """One control plane.

    Args:
        directory: Where its data, logs, keys and kubeconfig are; they stay when it stops.
        binaries: The directory of its programs.
        listen: The API server's address and port (0 for a free one); other than loopback only in a network namespace.

    Attributes:
        kubeconfig: A kubeconfig with all rights; its context is `localcluster`.
        audit_log: One JSON document per request.
        components: Its processes, in the order in which they start.
    """

    def __init__(self, directory: Path, binaries: Path, *, listen: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self._directory = directory
        self._listen = listen
        self._binaries = binaries
        self._pki = Pki(directory / "pki")
        self._noted_ports = directory / "ports.json"
        noted = self._noted_ports.read_text(encoding="utf-8") if self._noted_ports.exists() else "{}"
        self._ports: dict[str, int] = json.loads(noted)
        self.kubeconfig = directory / "kubeconfig"
        self.audit_log = directory / "audit.log"
        self.components = tuple(
            Process(directory, name) for name in ("etcd", "kube-apiserver", "kube-controller-manager")
        )

    @property
    def server(self) -> str:
        """The API server's address."""
        return f"https://{self._listen[0]}:{self._ports['kube-apiserver']}"

    @property
    def etcd_url(self) -> str:
        """The address of etcd, which asks nobody who they are."""
        return f"http://127.0.0.1:{self._ports['etcd']}"

    def healthy(self) -> list[tuple[str, int | None, bool]]:
        """Give each component's name, process id and whether it answers well."""
        return [(component.name, component.pid, self._is_well(component)) for component in self.components]

    def start(self, report: Report) -> bool:
        """Start what does not run; what is well is kept. False where nothing had to be done.

        Raises:
            LocalClusterError: A component does not come up; its last lines are in the text.
        """
        if all(well for _, _, well in self.healthy()):
            self._write_kubeconfigs()  # somebody may have removed one
            return False
        self.stop()
        self._directory.mkdir(parents=True, exist_ok=True)
        self._pki.ensure()
        write_private(self._directory / "audit-policy.yaml", yaml.safe_dump(_AUDIT_POLICY))
        for attempt in range(_ATTEMPTS):
            self._choose_ports(report, afresh=attempt > 0)
            self._write_kubeconfigs()
            try:
                for component in self.components:
                    self._start(component)
                break
            except _PortTaken:
                self.stop()
        else:
            raise LocalClusterError(f"no free ports on 127.0.0.1 in {_ATTEMPTS} attempts; run the same command again")
        self._wait_usable()
        return True

    def stop(self) -> None:
        """Stop every component, the last started first; those that do not run are left out."""
        for component in reversed(self.components):
            component.stop()

    def service_account_kubeconfig(
        self, namespace: str, name: str, path: Path, *, lifetime_s: int = 30 * 86400
    ) -> Path:
        """Write a kubeconfig with a service account's own token, which is in a file beside it.

        Args:
            namespace: The account's namespace.
            name: The account's name.
            path: The kubeconfig's file.
            lifetime_s: How long the token is good for, in seconds.
        """
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        with Client(self.kubeconfig) as client:
            answer = client.request("POST", account, {**body, "spec": {"expirationSeconds": lifetime_s}})
        token = path.with_name(f"{path.name}.token")
        write_private(token, answer["status"]["token"])
        write_kubeconfig(path, self.server, self._pki.authority, {"tokenFile": str(token)})
        return path

    def _start(self, component: Process) -> None:
        binary = self._binaries / component.name
        # etcd reads its flags from the environment too, and ends where both say something.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ETCD_")}
        component.start([binary, *getattr(self, f"_{component.name.replace('-', '_')}_flags")()], environment)

        def settled() -> bool:
            return component.pid is None or self._is_well(component)

        if wait_until(settled, STARTED_WITHIN_S) and component.pid is not None:
            return
        if "address already in use" in component.tail():
            raise _PortTaken(component.name)
        raise LocalClusterError(
            f"{component.name} does not come up; its last lines:\n{component.tail()}\n"
            f"The whole log is {component.log}. `down --purge` and `up` begin anew."
        )

    def _etcd_flags(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{self._ports[name]}" for name in ("etcd", "etcd-peer"))
        return [
            f"--data-dir={self._directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
            # A laptop's rates can be fetched again; a disk's sync per write costs most of the time of a test.
            "--unsafe-no-fsync",
        ]

    def _kube_apiserver_flags(self) -> list[str]:
        pki = self._pki
        return [
            f"--etcd-servers={self.etcd_url}",
            f"--bind-address={self._listen[0]}",
            f"--secure-port={self._ports['kube-apiserver']}",
            f"--tls-cert-file={pki.serving}",
            f"--tls-private-key-file={pki.serving_key}",
            f"--client-ca-file={pki.authority}",
            "--authorization-mode=RBAC",
            # Without it an owner reference with blockOwnerDeletion would pass here and fail in a stricter cluster.
            "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
            f"--service-account-key-file={pki.accounts_key}",
            f"--service-account-signing-key-file={pki.accounts_key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--endpoint-reconciler-type=none",
            f"--audit-policy-file={self._directory / 'audit-policy.yaml'}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-maxsize=100",
            "--audit-log-maxbackup=1",
        ]

    def _kube_controller_manager_flags(self) -> list[str]:
        pki = self._pki
        return [
            f"--kubeconfig={self._directory / 'controller-manager.kubeconfig'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports['kube-controller-manager']}",
            f"--tls-cert-file={pki.serving}",
            f"--tls-private-key-file={pki.serving_key}",
            f"--service-account-private-key-file={pki.accounts_key}",
            f"--root-ca-file={pki.authority}",
            "--use-service-account-credentials",
            "--leader-elect=false",
        ]

    def _write_kubeconfigs(self) -> None:
        pki = self._pki
        for path, certificate, key in (
            (self.kubeconfig, pki.admin, pki.admin_key),
            (self._directory / "controller-manager.kubeconfig", pki.controller_manager, pki.controller_manager_key),
        ):
            user = {"client-certificate-data": embedded(certificate), "client-key-data": embedded(key)}
            write_kubeconfig(path, self.server, pki.authority, user)

    def _choose_ports(self, report: Report, *, afresh: bool) -> None:
        """Keep the ports of the last time, so that kubeconfigs stay true, unless somebody else has them by now."""
        taken = [name for name, port in self._ports.items() if not is_free(port)]
        if self._ports and not taken and not afresh:
            return
        if taken:
            report(f"the port of {taken[0]} ({self._ports[taken[0]]}) is taken by another process; choosing others")
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in _PORTS]
        self._ports = {name: server.getsockname()[1] for name, server in zip(_PORTS, sockets, strict=True)}
        self._ports["kube-apiserver"] = self._listen[1] or self._ports["kube-apiserver"]
        for server in sockets:
            server.close()
        write_private(self._noted_ports, json.dumps(self._ports))

    def _is_well(self, component: Process) -> bool:
        if component.pid is None or component.name not in self._ports:
            return False
        scheme, path = _HEALTH[component.name]
        host = self._listen[0] if component.name == "kube-apiserver" else "127.0.0.1"
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self._pki.authority)
            session.cert = (str(self._pki.admin), str(self._pki.admin_key))
            try:
                return session.get(f"{scheme}://{host}:{self._ports[component.name]}{path}", timeout=5.0).ok
            except requests.RequestException:
                return False

    def _wait_usable(self) -> None:
        """Wait for the account that every namespace gets: admission refuses much before it is there."""
        account = Reference("v1", "ServiceAccount", "default", "default")
        with Client(self.kubeconfig) as client:
            if not wait_until(lambda: client.get(account), STARTED_WITHIN_S):
                raise LocalClusterError(f"{account} does not appear; see {self.components[-1].log}, and run `up` again")


class _PortTaken(Exception):
    """Another process took a port between its choice and its use."""
