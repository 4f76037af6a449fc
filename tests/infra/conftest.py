"""The program under Pulumi's mock monitor, each stack file recorded once."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from exchangerates_infra.mock_monitor import RecordedResource
from exchangerates_infra.project import PROJECT, ROOT
from exchangerates_infra.recorder import Recording, record, stack_file_values

STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))

Program = Callable[..., Recording]


@cache
def recorded(stack: str) -> Recording:
    """Give what a stack file registers."""
    return record(stack, file_values(stack))


file_values = cache(stack_file_values)
"""Gives a stack file's values; to read it takes as long as the program does."""


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    """Each stack file's name in turn."""
    name: str = request.param
    return name


@pytest.fixture
def recording(stack: str) -> Recording:
    """Each stack file's recording in turn."""
    return recorded(stack)


@pytest.fixture
def program() -> Program:
    """Run the program for the prod stack with some of its values replaced; `secret` names keys that are encrypted."""

    def run(*, secret: tuple[str, ...] = (), **values: str) -> Recording:
        return recorded_with(secret, tuple(sorted(values.items())))

    return run


@cache
def recorded_with(secret: tuple[str, ...], values: tuple[tuple[str, str], ...]) -> Recording:
    """Give what the prod stack registers with some of its values replaced; a second call runs nothing."""
    secret_keys = tuple(f"{PROJECT}:{key}" for key in secret)
    replaced = {f"{PROJECT}:{key}": value for key, value in values}
    return record("prod", file_values("prod") | replaced, secret_keys=secret_keys)


def of_kind(recording: Recording, kind: str) -> list[RecordedResource]:
    """Give the recorded resources of one Kubernetes kind."""
    return [resource for resource in recording.resources if resource.type.endswith(f":{kind}")]


def template(recording: Recording) -> dict[str, Any]:
    """Give the template of the operator's Pod."""
    (deployment,) = of_kind(recording, "Deployment")
    found: dict[str, Any] = deployment.inputs["spec"]["template"]
    return found


def container(recording: Recording) -> dict[str, Any]:
    """Give the operator's container."""
    found: dict[str, Any] = template(recording)["spec"]["containers"][0]
    return found


def environment(recording: Recording) -> dict[str, str]:
    """Give the operator's environment without what comes from Secrets."""
    return {entry["name"]: entry["value"] for entry in container(recording)["env"] if "value" in entry}
