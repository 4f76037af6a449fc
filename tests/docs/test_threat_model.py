"""The threat model against the tests that it names."""

import ast
import re

from tests.docs import pages

from exchangerates_infra.project import ROOT

PAGE = ROOT / "docs/threat-model.md"


def test_every_test_that_the_threat_model_names_is_there() -> None:
    """One that was renamed or removed shows nothing any more; every row of a table names one."""
    named = re.findall(r"`(tests/\w+/test_\w+\.py)(?:::(test_\w+))?`", pages.text_of(PAGE))
    assert len(named) > 30
    for file, test in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        known = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert not test or test in known, f"{file} has no {test}"
    rows = re.findall(r"^\| (?!could \|)(?!---)(.+) \|$", pages.text_of(PAGE), re.MULTILINE)
    assert [row for row in rows if "test_" not in row.rpartition(" | ")[2]] == []
