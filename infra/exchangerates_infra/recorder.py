"""Runs the unchanged program under Pulumi's mock monitor and records what it registers.

For a machine without the Pulumi CLI: what was recorded can be applied to an API server in order, and taken down in
reverse.
"""

import asyncio
import json
import os
import runpy
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime import rpc
from pulumi.runtime.config import set_all_config
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_in_stack

from exchangerates_infra.project import PROJECT, ROOT

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

    def manifest(self) -> dict[str, Any] | None:
        """Give the Kubernetes object, or None for another kind of resource."""
        if not self.type.startswith(_KUBERNETES):
            return None
        return {"apiVersion": self.inputs["apiVersion"], "kind": self.inputs["kind"], **self.inputs}


@dataclass(frozen=True)
class Recording:
    """What one run registered.

    Attributes:
        resources: In an order in which each comes after what it needs.
        outputs: The stack's outputs, with secrets opened.
    """

    resources: tuple[RecordedResource, ...]
    outputs: Mapping[str, Any]

    def manifests(self) -> list[dict[str, Any]]:
        """Give the Kubernetes objects, in the order in which they can be applied."""
        return [manifest for resource in self.resources if (manifest := resource.manifest()) is not None]

    def teardown(self) -> list[dict[str, Any]]:
        """Give the Kubernetes objects that destroying removes, in the order in which they go."""
        return [
            manifest
            for resource in reversed(self.resources)
            if not resource.retain and (manifest := resource.manifest()) is not None
        ]


def stack_file_values(stack: str, overrides: Mapping[str, object] | None = None) -> dict[str, str]:
    """Give a stack file's values as the CLI hands them to the program: text, with objects and lists as JSON.

    The project's defaults are in it; a secret is not, since only the CLI can open it.

    Args:
        stack: The name of the stack file.
        overrides: Values in place of the file's, by key without the project's name.
    """
    project = _yaml("Pulumi.yaml")["config"]
    values = {f"{PROJECT}:{key}": entry["default"] for key, entry in project.items() if "default" in entry}
    values |= _yaml(f"Pulumi.{stack}.yaml")["config"]
    values |= {f"{PROJECT}:{key}": value for key, value in (overrides or {}).items()}
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
        if not (isinstance(value, dict) and "secure" in value)
    }


def record(stack: str, values: Mapping[str, str], *, secret_keys: tuple[str, ...] = ()) -> Recording:
    """Run the program once for a stack.

    Args:
        stack: The stack's name.
        values: Config as text by full key, such as `stack_file_values` gives.
        secret_keys: The full keys whose values are secret.

    Raises:
        StackConfigError: The program refused the config.
        Exception: Whatever else the program raises.
    """
    recorder = _Recorder()
    loops: list[asyncio.AbstractEventLoop] = []

    def give_loop() -> None:
        # The mock monitor wants a loop in each of its threads; one that it makes itself is never closed.
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(initializer=give_loop))
        pulumi_mocks.set_mocks(_Echo(), PROJECT, stack, preview=False, monitor=recorder)
        # Setting mocks opens and closes a stack of its own, whose outputs nobody could add to.
        set_root_resource(None)  # type: ignore[arg-type] # as before any stack
        set_all_config(dict(values), list(secret_keys))
        await run_in_stack(_run_program)

    try:
        with _inside(ROOT / "infra"):
            asyncio.run(run())
    finally:
        for loop in loops:
            loop.close()
    return Recording(tuple(_ordered(recorder.recorded)), recorder.outputs)


def _run_program() -> None:
    runpy.run_path(".", run_name="__main__")


class _Echo(pulumi_mocks.Mocks):
    """Answers every registration with its own inputs, as a provider would at the least."""

    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[str, Any], None]:  # noqa: ARG002 - the SDK's signature
        return {}, None

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        outputs = dict(args.inputs)
        if args.typ == "docker-build:index:Image":
            digest = "sha256:" + "0" * 64
            outputs |= {"digest": digest, "ref": f"{outputs['tags'][0]}@{digest}"}
        return f"{args.name}-id", outputs


class _Recorder(pulumi_mocks.MockMonitor):
    """A monitor that keeps the raw requests: they show parents, providers, dependencies and options."""

    def __init__(self) -> None:
        super().__init__(_Echo())
        self.recorded: list[RecordedResource] = []
        self.outputs: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - the SDK's own signature
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
                )
            )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: ANN401, N802 - the SDK's own signature
        if "pulumi:pulumi:Stack" in request.urn:
            self.outputs |= _opened(rpc.deserialize_properties(request.outputs, keep_unknowns=True), "", [])
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


def _ordered(recorded: list[RecordedResource]) -> Iterator[RecordedResource]:
    """Give the resources so that each comes after what it depends on, and otherwise in the order of their urns."""
    left, done = sorted(recorded, key=lambda resource: resource.urn), set[str]()
    known = {resource.urn for resource in recorded}
    while left:
        ready = next(resource for resource in left if set(resource.depends_on) & known <= done)
        left.remove(ready)
        done.add(ready.urn)
        yield ready


def _yaml(name: str) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return body


@contextmanager
def _inside(directory: Path) -> Iterator[None]:
    """Work in a directory, with it first on the module path, as the CLI runs the program."""
    before, path = Path.cwd(), list(sys.path)
    os.chdir(directory)
    sys.path.insert(0, str(directory))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path
