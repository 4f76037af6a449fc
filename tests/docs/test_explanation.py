"""The picture of a rate's way through the code, against the code."""

import re

from tests.docs import pages

from exchangerates_infra.project import ROOT


def test_every_module_in_the_picture_is_one() -> None:
    """A room that was moved or renamed is moved in the picture, too."""
    _, way = pages.blocks(ROOT / "docs/explanation.md", "mermaid")
    named = {name for label in re.findall(r'"([a-z_, ]+): ', way) for name in label.split(", ")}
    there = {path.stem for path in (ROOT / "operator/exchangerates").iterdir()}
    assert len(named) > 15
    assert named - there == set()
