"""A small Kubernetes client: any kind, by its manifest or its reference."""

import base64
import tempfile
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import requests
import yaml

from localcluster.errors import ApiError, LocalClusterError

FIELD_MANAGER: Final = "localcluster"
_TIMEOUT_S: Final = (5.0, 30.0)
_COME_BACK_LATER_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses after "too many requests", with which the API server also answers for a new kind's first seconds."""
_APPLY: Final = "application/apply-patch+yaml"


class Reference(NamedTuple):
    """What names one object."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f" of namespace {self.namespace}" if self.namespace else ""
        return f"{self.kind} {self.name}{where}"

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Self:
        """Give a manifest's reference."""
        metadata = manifest["metadata"]
        return cls(manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"])


class Client:
    """Calls to the API server of a kubeconfig's current context. A context manager: it holds connections and files.

    Args:
        kubeconfig: A file as `localcluster.kubeconfig` writes it.

    Attributes:
        server: The API server's address.
    """

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server = str(cluster["server"])
        self._token_file = user.get("tokenFile")
        self._files = tempfile.TemporaryDirectory(prefix="localcluster-")
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no way to this loopback
        self._session.verify = self._file("authority", cluster["certificate-authority-data"])
        if "client-certificate-data" in user:
            self._session.cert = (
                self._file("certificate", user["client-certificate-data"]),
                self._file("key", user["client-key-data"]),
            )
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and remove the credentials' files."""
        self._session.close()
        self._files.cleanup()

    def get(self, reference: Reference) -> dict[str, Any] | None:
        """Read an object; None where there is none, or not even its kind."""
        try:
            return self.request("GET", self._path(reference))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def items(self, api_version: str, kind: str, namespace: str = "") -> list[dict[str, Any]]:
        """List the objects of a kind, in one namespace or in all."""
        found: list[dict[str, Any]] = self.request("GET", self._collection(api_version, kind, namespace))["items"]
        return [{"apiVersion": api_version, "kind": kind, **item} for item in found]

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object."""
        reference = Reference.of(manifest)
        return self.request(
            "POST", self._collection(reference.api_version, reference.kind, reference.namespace), dict(manifest)
        )

    def apply(self, manifest: Mapping[str, Any]) -> bool:
        """Apply an object on the server's side; True where that changed it."""
        path = self._path(Reference.of(manifest))
        before = self.get(Reference.of(manifest))
        after = self.request(
            "PATCH", path, dict(manifest), kind=_APPLY, params={"fieldManager": FIELD_MANAGER, "force": "true"}
        )
        return before is None or before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"]

    def patch(self, reference: Reference, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Merge a patch into an object."""
        return self.request("PATCH", self._path(reference), dict(patch), kind="application/merge-patch+json")

    def delete(self, reference: Reference, *, propagation: str = "Background") -> None:
        """Ask for an object's deletion; one that is not there is no error."""
        try:
            self.request("DELETE", self._path(reference), {"propagationPolicy": propagation})
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def request(  # noqa: PLR0913 - a request has these parts
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        kind: str = "application/json",
        accept: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Make any request, with a body of a kind, for an answer that is JSON in any case.

        Raises:
            ApiError: The API server refused it.
            LocalClusterError: The API server does not answer.
        """
        headers = {"Content-Type": kind, "Accept": accept}
        if self._token_file is not None:
            headers["Authorization"] = f"Bearer {Path(self._token_file).read_text(encoding='utf-8').strip()}"
        for later_s in (*_COME_BACK_LATER_S, None):
            try:
                answer = self._session.request(
                    method, self.server + path, json=body, headers=headers, params=params, timeout=_TIMEOUT_S
                )
            except requests.RequestException as error:
                raise LocalClusterError(
                    f"the API server {self.server} does not answer ({type(error).__name__}); start it with `up`"
                ) from error
            if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS or later_s is None:
                break
            time.sleep(later_s)
        content: dict[str, Any] = (
            answer.json() if answer.headers.get("Content-Type", "").startswith("application/json") else {}
        )
        if not answer.ok:
            message = content.get("message", answer.text[:200])
            raise ApiError(f"{method} {path}", answer.status_code, content.get("reason", answer.reason), message)
        return content

    def _path(self, reference: Reference) -> str:
        return f"{self._collection(reference.api_version, reference.kind, reference.namespace)}/{reference.name}"

    def _collection(self, api_version: str, kind: str, namespace: str) -> str:
        """Give a kind's path; the API server is asked for its name in the plural, until it knows it."""
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        with self._lock:
            if (api_version, kind) not in self._plurals:
                for resource in self.request("GET", root)["resources"]:
                    if "/" not in resource["name"]:
                        self._plurals[api_version, resource["kind"]] = (resource["name"], resource["namespaced"])
            if (api_version, kind) not in self._plurals:
                raise ApiError(f"GET {root}", HTTPStatus.NOT_FOUND, "NotFound", f"no kind {kind} in {api_version}")
            plural, namespaced = self._plurals[api_version, kind]
        return f"{root}/namespaces/{namespace}/{plural}" if namespaced and namespace else f"{root}/{plural}"

    def _file(self, name: str, data: str) -> str:
        """Give the path of embedded data: the TLS library takes certificates and keys from files only."""
        path = Path(self._files.name) / name
        path.touch(mode=0o600)
        path.write_bytes(base64.b64decode(data))
        return str(path)
