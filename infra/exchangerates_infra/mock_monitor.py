"""Pulumi's mock monitor, with what the program registers kept as it was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime import rpc

_KUBERNETES: Final = "kubernetes:"


@dataclass(frozen=True)
class RecordedResource:
    """One resource as the program registered it.

    Attributes:
        type: Its type token.
        name: Its logical name.
        urn: Its address in the stack.
        inputs: Its inputs, plain values; secrets are opened.
        secrets: The paths of inputs that were secret.
        parent: Its parent's urn.
        provider: The reference of its Kubernetes (or other) provider, empty for none named.
        depends_on: The urns of what it needs, in no order.
        protect: Whether it is protected.
        retain: Whether destroying leaves it.
        delete_before_replace: Whether a replacement deletes it first.
        aliases: Its former names.
        timeouts: How long its creation and its update may take, as Go durations; empty for the provider's own.
        outputs: What a component tells; empty for others.
    """

    type: str
    name: str
    urn: str
    inputs: Mapping[str, Any]
    secrets: tuple[str, ...]
    parent: str
    provider: str
    depends_on: tuple[str, ...]
    protect: bool
    retain: bool
    delete_before_replace: bool
    aliases: tuple[str, ...]
    timeouts: tuple[str, str]
    outputs: Mapping[str, Any]

    def manifest(self) -> dict[str, Any] | None:
        """Give the Kubernetes object, or None for another kind of resource."""
        if not self.type.startswith(_KUBERNETES):
            return None
        return {"apiVersion": self.inputs["apiVersion"], "kind": self.inputs["kind"], **self.inputs}


class RecordedRead(NamedTuple):
    """An object of somebody else that the program read.

    Attributes:
        urn: Its address in the stack.
        id: Its name in the cluster, after `namespace/` where it is in one.
        provider: The reference of its provider.
    """

    urn: str
    id: str
    provider: str


class Echo(pulumi_mocks.Mocks):
    """Answers every registration with its own inputs, as a provider would at the least.

    Args:
        preview: Whether images are not built, but only going to be.
    """

    def __init__(self, *, preview: bool = False) -> None:
        self._preview = preview

    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[str, Any], None]:  # noqa: ARG002 - the SDK's signature
        """Answer a call of a function with nothing."""
        return {}, None

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Answer a registration; an image that is built gets a digest."""
        outputs = dict(args.inputs)
        if args.typ == "docker-build:index:Image":
            digest = "" if self._preview else "sha256:" + "0" * 64
            outputs |= {"digest": digest, "ref": "@".join(filter(None, (outputs["tags"][0], digest)))}
        return f"{args.name}-id", outputs


class RecordingMonitor(pulumi_mocks.MockMonitor):
    """A monitor that keeps the raw requests: they show parents, providers, dependencies and options."""

    def __init__(self, *, preview: bool = False) -> None:
        super().__init__(Echo(preview=preview))
        self.recorded: list[RecordedResource] = []
        self.reads: list[RecordedRead] = []
        self.outputs: dict[str, dict[str, Any]] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - the SDK's own signature
        """Keep a registration."""
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call] # the SDK's is untyped
        if request.type != "pulumi:pulumi:Stack":
            secrets: list[str] = []
            inputs = _opened(rpc.deserialize_properties(request.object, keep_unknowns=True), "", secrets)
            self.recorded.append(
                RecordedResource(
                    type=request.type,
                    name=request.name,
                    urn=response.urn,
                    inputs=inputs,
                    secrets=tuple(sorted(secrets)),
                    parent=request.parent,
                    provider=request.provider,
                    depends_on=tuple(sorted(request.dependencies)),
                    protect=request.protect,
                    retain=request.retainOnDelete,
                    delete_before_replace=request.deleteBeforeReplace,
                    aliases=tuple(alias.spec.name for alias in request.aliases),
                    timeouts=(request.customTimeouts.create, request.customTimeouts.update),
                    outputs={},
                )
            )
        return response

    def ReadResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - the SDK's own signature
        """Keep what is read."""
        response = super().ReadResource(request)  # type: ignore[no-untyped-call] # the SDK's is untyped
        self.reads.append(RecordedRead(response.urn, request.id, request.provider))
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: ANN401, N802 - the SDK's own signature
        """Keep what a component or the stack tells."""
        self.outputs[request.urn] = _opened(rpc.deserialize_properties(request.outputs, keep_unknowns=True), "", [])
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call] # the SDK's is untyped


def _opened(value: Any, path: str, secrets: list[str]) -> Any:  # noqa: ANN401 - a tree of JSON
    """Open the secrets in a tree, note their paths, and make whole numbers integers again."""
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:  # noqa: SLF001 - the SDK has no public reader
            secrets.append(path)
            return _opened(value["value"], path, secrets)
        return {key: _opened(child, f"{path}.{key}".lstrip("."), secrets) for key, child in value.items()}
    if isinstance(value, list):
        return [_opened(child, f"{path}[{index}]", secrets) for index, child in enumerate(value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
