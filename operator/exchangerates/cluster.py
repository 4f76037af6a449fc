"""The few Kubernetes calls that the operator makes, on a session that it is given.

Errors of the API server become `ApiError`, of the way there `ApiUnreachable`. Nothing is retried here.
"""

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar

from exchangerates.api import API_VERSION as EXCHANGE_RATE_API_VERSION
from exchangerates.api import FIELD_MANAGER, GROUP, KIND, MANAGED_BY_LABEL, PLURAL, VERSION, Reason
from exchangerates.connection import Connection
from exchangerates.errors import ApiError
from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey

Seen = TypeVar("Seen", ExchangeRate, ConfigMap)
_MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}
_WRITTEN_BY: Final = f"fieldManager={FIELD_MANAGER}"
_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Cluster(Connection):
    """Calls to one API server."""

    async def list_exchange_rates(
        self, namespace: str | None, known: Mapping[ObjectKey, ExchangeRate]
    ) -> AsyncIterator[ExchangeRate]:
        """List all ExchangeRates of a namespace, or of all, in pages; what has not changed is given as it is known."""
        async for item in self.items(_exchange_rates_path(namespace), {}):
            yield _unchanged(item, known) or ExchangeRate.from_body(item)

    async def list_config_maps(
        self, namespace: str | None, known: Mapping[ObjectKey, ConfigMap]
    ) -> AsyncIterator[ConfigMap]:
        """List the labelled ConfigMaps of a namespace, or of all, in pages; the unchanged as they are known."""
        selector = {"labelSelector": f"{MANAGED_BY_LABEL}={FIELD_MANAGER}"}
        async for item in self.items(_config_maps_path(namespace), selector):
            yield _unchanged(item, known) or ConfigMap.from_body(item)

    async def read_exchange_rate(self, key: ObjectKey) -> ExchangeRate | None:
        """Read one ExchangeRate, or None where there is none."""
        try:
            return ExchangeRate.from_body(
                await self.request("GET", f"{_exchange_rates_path(key.namespace)}/{key.name}")
            )
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def read_config_map(self, key: ObjectKey) -> ConfigMap | None:
        """Read one ConfigMap, or None where there is none."""
        try:
            return ConfigMap.from_body(await self.request("GET", f"{_config_maps_path(key.namespace)}/{key.name}"))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def create_config_map(self, body: Mapping[str, Any]) -> ConfigMap:
        """Create a ConfigMap; 409 where the name is taken."""
        path = f"{_config_maps_path(body['metadata']['namespace'])}?{_WRITTEN_BY}"
        return ConfigMap.from_body(await self.request("POST", path, body))

    async def patch_config_map(self, key: ObjectKey, patch: Mapping[str, Any]) -> ConfigMap:
        """Merge a patch into a ConfigMap; 409 or 422 where it is not the one that the patch names, 404 for none."""
        path = f"{_config_maps_path(key.namespace)}/{key.name}?{_WRITTEN_BY}"
        return ConfigMap.from_body(await self.request("PATCH", path, patch, headers=_MERGE_PATCH))

    async def delete_config_map(self, seen: ConfigMap) -> None:
        """Delete this very ConfigMap as it was seen; 409 where it has changed or is another one, none is no error."""
        path = f"{_config_maps_path(seen.key.namespace)}/{seen.key.name}"
        guard = {"uid": seen.uid, "resourceVersion": str(seen.resource_version)}
        try:
            await self.request("DELETE", path, {"preconditions": guard})
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    async def patch_status(self, owner: ExchangeRate, patch: Mapping[str, Any]) -> ExchangeRate:
        """Merge a patch into the status of this ExchangeRate as it was seen; 409 or 422 where it has changed since."""
        path = f"{_exchange_rates_path(owner.key.namespace)}/{owner.key.name}/status?{_WRITTEN_BY}"
        guard = {"uid": owner.uid, "resourceVersion": str(owner.resource_version)}
        body = {"metadata": guard, "status": patch}
        return ExchangeRate.from_body(await self.request("PATCH", path, body, headers=_MERGE_PATCH))

    async def create_event(
        self, owner: ExchangeRate, *, warning: bool, reason: Reason, message: str, time: str
    ) -> None:
        """Record a transition of an ExchangeRate where `kubectl describe` shows it. The time is RFC 3339."""
        involved = {
            "apiVersion": EXCHANGE_RATE_API_VERSION,
            "kind": KIND,
            "namespace": owner.key.namespace,
            "name": owner.key.name,
            "uid": owner.uid,
        }
        named = {"generateName": f"{owner.key.name[:200].rstrip('-.')}."}
        await self._create_event(named, involved, warning=warning, reason=reason, message=message, time=time)

    async def create_deployment_event(
        self, deployment: ObjectKey, name: str, *, reason: Reason, message: str, time: str
    ) -> None:
        """Record a warning of this name on a Deployment; 409 where there is one of that name, 404 for no Deployment.

        `kubectl describe` asks for the events of its uid.
        """
        found = await self.request(
            "GET", f"/apis/apps/v1/namespaces/{deployment.namespace}/deployments/{deployment.name}"
        )
        involved = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "namespace": deployment.namespace,
            "name": deployment.name,
            "uid": found["metadata"]["uid"],
        }
        await self._create_event({"name": name}, involved, warning=True, reason=reason, message=message, time=time)

    async def _create_event(  # noqa: PLR0913 - an event has these parts
        self,
        named: Mapping[str, str],
        involved: Mapping[str, str],
        *,
        warning: bool,
        reason: Reason,
        message: str,
        time: str,
    ) -> None:
        body = {
            "metadata": {**named, "namespace": involved["namespace"]},
            "involvedObject": involved,
            "type": "Warning" if warning else "Normal",
            "reason": str(reason),
            "message": message[:1024],
            "source": {"component": FIELD_MANAGER},
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        }
        await self.request("POST", f"/api/v1/namespaces/{involved['namespace']}/events", body)

    async def read_crd(self, name: str) -> dict[str, Any] | None:
        """Read a CustomResourceDefinition, or None where there is none."""
        try:
            return await self.request("GET", f"{_CRDS}/{name}")
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def create_crd(self, body: Mapping[str, Any]) -> None:
        """Create a CustomResourceDefinition; 409 where there is one."""
        await self.request("POST", f"{_CRDS}?{_WRITTEN_BY}", body)

    async def patch_crd(self, name: str, patch: Mapping[str, Any]) -> None:
        """Merge a patch into a CustomResourceDefinition."""
        await self.request("PATCH", f"{_CRDS}/{name}?{_WRITTEN_BY}", patch, headers=_MERGE_PATCH)

    async def serves_exchange_rates(self, namespace: str | None) -> bool:
        """Tell whether the API server knows the kind, by a list of at most one object."""
        try:
            await self.request("GET", _exchange_rates_path(namespace), params={"limit": "1"})
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True


def _unchanged(body: Mapping[str, Any], known: Mapping[ObjectKey, Seen]) -> Seen | None:
    """Give an object as it is known where the body is of the same version; None where it is not."""
    meta = body["metadata"]
    found = known.get(ObjectKey(meta["namespace"], meta["name"]))
    return found if found is not None and found.resource_version == int(meta["resourceVersion"]) else None


def _exchange_rates_path(namespace: str | None) -> str:
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{where}/{PLURAL}"


def _config_maps_path(namespace: str | None) -> str:
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"/api/v1{where}/configmaps"
