"""Runs the unchanged program under Pulumi's mock monitor and records what it registers.

For a machine without the Pulumi CLI: what was recorded can be applied to an API server in order, and taken down in
reverse.
"""

import asyncio
import json
import os
import runpy
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_in_stack

from exchangerates_infra.config_reader import StackConfigError
from exchangerates_infra.mock_monitor import Echo, RecordedRead, RecordedResource, RecordingMonitor
from exchangerates_infra.project import PROJECT, ROOT


class DuplicateResourceError(Exception):
    """The program registers two resources of the same type, name and parent's type, which the engine refuses."""


@dataclass(frozen=True)
class Recording:
    """What one run registered.

    Attributes:
        resources: In an order in which each comes after what it needs.
        outputs: The stack's outputs, with secrets opened.
        reads: What it read of somebody else's, sorted.
    """

    resources: tuple[RecordedResource, ...]
    outputs: Mapping[str, Any]
    reads: tuple[RecordedRead, ...] = ()

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

    Raises:
        StackConfigError: A key is there twice, or the file is no YAML.
    """
    project = _yaml("Pulumi.yaml")["config"]
    values = {f"{PROJECT}:{key}": entry["default"] for key, entry in project.items() if "default" in entry}
    values |= _yaml(f"Pulumi.{stack}.yaml")["config"]
    values |= {f"{PROJECT}:{key}": value for key, value in (overrides or {}).items()}
    return {
        # A day without quotes is a date to YAML, and text to the CLI.
        key: value if isinstance(value, str) else json.dumps(value, default=str)
        for key, value in values.items()
        if not _is_encrypted(value)
    }


def encrypted_keys(stack: str) -> frozenset[str]:
    """Give the keys of a stack file whose values only the CLI can open."""
    return frozenset(key for key, value in _yaml(f"Pulumi.{stack}.yaml")["config"].items() if _is_encrypted(value))


def _is_encrypted(value: object) -> bool:
    return isinstance(value, dict) and "secure" in value


def record(
    stack: str, values: Mapping[str, str], *, secret_keys: tuple[str, ...] = (), preview: bool = False
) -> Recording:
    """Run this project's program once for a stack; as `record_program` otherwise."""
    return record_program(ROOT / "infra", stack, values, secret_keys=secret_keys, preview=preview)


def record_program(
    program: Path, stack: str, values: Mapping[str, str], *, secret_keys: tuple[str, ...] = (), preview: bool = False
) -> Recording:
    """Run a program once for a stack.

    Args:
        program: A file, or a directory with a `__main__.py`.
        stack: The stack's name.
        values: Config as text by full key, such as `stack_file_values` gives.
        secret_keys: The full keys whose values are secret.
        preview: Whether the program is told that it is only previewed.

    Raises:
        StackConfigError: The program refused the config.
        DuplicateResourceError: Two resources have the same urn.
        Exception: Whatever else the program raises.
    """
    recorder = RecordingMonitor(preview=preview)

    def run_once() -> None:
        runpy.run_path(str(program), run_name="__main__")

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(threads)
        pulumi_mocks.set_mocks(Echo(), PROJECT, stack, preview=preview, monitor=recorder)
        # Setting mocks opens and closes a stack of its own, whose outputs nobody could add to.
        set_root_resource(None)  # type: ignore[arg-type] # as before any stack
        set_all_config(dict(values), list(secret_keys))
        await run_in_stack(run_once)

    with _threads_with_loops() as threads, _inside(program if program.is_dir() else program.parent):
        asyncio.run(run())
    return _recording(recorder)


def _recording(recorder: RecordingMonitor) -> Recording:
    counted = Counter(found.urn for found in recorder.recorded)
    if doubled := sorted(urn for urn, times in counted.items() if times > 1):
        raise DuplicateResourceError(f"Duplicate resource URN: {', '.join(doubled)}")
    resources = [replace(found, outputs=recorder.outputs.get(found.urn, {})) for found in recorder.recorded]
    (stack_outputs,) = [outputs for urn, outputs in recorder.outputs.items() if "pulumi:pulumi:Stack::" in urn]
    return Recording(tuple(_ordered(resources)), stack_outputs, tuple(sorted(recorder.reads)))


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
    with (ROOT / name).open(encoding="utf-8") as file:
        try:
            body: dict[str, Any] = yaml.load(file, _StackFile)  # noqa: S506 - a safe one
        except yaml.YAMLError as error:
            raise StackConfigError(f"{name} is no YAML; correct it: {error}") from error
    return body


class _StackFile(yaml.SafeLoader):
    """Refuses a key that is there twice, as the CLI does: the last one would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        keys = [key.value for key, _ in node.value]
        if doubled := sorted({str(key) for key in keys if keys.count(key) > 1}):
            file = Path(node.start_mark.name).name
            raise StackConfigError(f"{file} has {', '.join(doubled)} twice; write it once")
        return super().construct_mapping(node, deep)


@contextmanager
def _threads_with_loops() -> Iterator[ThreadPoolExecutor]:
    """Give threads with an event loop each: the mock monitor wants one, and never closes what it makes itself."""
    loops: list[asyncio.AbstractEventLoop] = []

    def give_loop() -> None:
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    try:
        yield ThreadPoolExecutor(initializer=give_loop)
    finally:
        for loop in loops:
            loop.close()


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
