"""Whether a stack's config is refused, and in what words."""

from collections.abc import Collection, Mapping
from typing import Final

import pytest

from exchangerates_infra.config_reader import StackConfigError
from exchangerates_infra.project import PROJECT
from exchangerates_infra.stack_config import StackConfig

CONTEXT: Final = {"kubeContext": "kind-kind"}
"""The one key that a stack has to have."""


def mistakes(values: Mapping[str, str], secret: Collection[str] = ()) -> list[str]:
    """Give what is told of a stack with these values, a line per mistake, without the project's name before the key."""
    with pytest.raises(StackConfigError) as caught:
        StackConfig.parse({**CONTEXT, **values}, frozenset(secret))
    before, *told = str(caught.value).split(f"\n  - {PROJECT}:")
    assert "\n" not in before
    return told


def assert_told(values: Mapping[str, str], told: str, key: str, secret: Collection[str] = ()) -> None:
    """See that what is wrong with a key is told with what to write, and no password in any line."""
    lines = mistakes(values, secret)
    assert [line for line in lines if line.startswith(key) and told in line] != []
    assert "planted-key" not in "\n".join(lines)
