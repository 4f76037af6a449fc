"""The stack files that the pages show."""

import json
from typing import Any

import pytest
import yaml
from tests.docs import pages

from exchangerates_infra.project import PROJECT
from exchangerates_infra.stack_config import StackConfig

SHOWN = [
    pytest.param(shown["config"], id=f"{page.name} {' '.join(shown['config'])}")
    for page in pages.PAGES
    for block in pages.blocks(page, "yaml")
    for shown in yaml.safe_load_all(block)
    if "config" in shown
]


@pytest.mark.parametrize("shown", SHOWN)
def test_every_stack_file_that_is_shown_is_valid(shown: dict[str, Any]) -> None:
    """It is what the check of a stack's config takes, once a context stands in it."""
    values = {key.removeprefix(f"{PROJECT}:"): _text(value) for key, value in shown.items()}
    assert set(values) != {"kubeContext"}
    StackConfig.parse({"kubeContext": "any"} | values)


def test_a_page_shows_stack_files() -> None:
    """Otherwise the test above would look at nothing."""
    assert "how-to.md" in {str(shown.id).split(" ", maxsplit=1)[0] for shown in SHOWN}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
