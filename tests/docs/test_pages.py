"""What the pages name is there: files, anchors, commands, options, keys, metrics and reasons."""

import importlib.util
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.docs import pages, sources

from exchangerates.api import FIELD_MANAGER, GROUP, VERSION, Env
from exchangerates_infra.project import PROJECT, ROOT

FOREIGN = {"KopfFinalizerMarker", "configMapKeyRef", "subPath"}
"""Names of other products."""
each_page = pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    """The file is there, and the heading in it; addresses of others are theirs."""
    for link in pages.links(page):
        target = urlsplit(link)
        if target.scheme:
            assert target.scheme == "https", link
            continue
        file = (page.parent / target.path).resolve() if target.path else page
        assert file.exists(), link
        assert not target.fragment or target.fragment in pages.anchors(file), link


@each_page
def test_every_command_of_localcluster_is_one(page: Path) -> None:
    """Its commands and their options are those of the program; `a | b` names several."""
    known = sources.localcluster_commands()
    for line in pages.code_of(page):
        for words in re.findall(r"(?:run |^)localcluster((?: [^\s)#;]+)*)", line):
            command = ""
            for word in words.split():
                if word.startswith("--"):
                    assert word in known[command] | known[""], line
                elif word.isalpha() and word.islower() and (not command or f"| {word}" in words):
                    assert word in known, line
                    command = word


@each_page
def test_every_key_of_a_stack_is_one(page: Path) -> None:
    """Where a page sets one by the CLI, or shows it in a stack file."""
    known = sources.project_keys()
    code = "\n".join(pages.code_of(page))
    for options, named in re.findall(r"pulumi config set((?: --\w+)*) ([a-z][\w:.\-]*)", code):
        key, *below = named.removeprefix(f"{PROJECT}:").split(".")
        assert key in known, named
        assert "--path" in options or known[key]["type"] not in {"array", "object"}, named
        assert not below or ("--path" in options and below[0] in sources.nested_keys(key)), named
    for key in re.findall(rf"(?<![\w/-]){PROJECT}:([a-z]\w+)", code):
        assert key in known, key


@each_page
def test_every_name_of_the_operator_is_one(page: Path) -> None:
    """Annotations, metrics and variables, wherever a page names one."""
    text = pages.text_of(page)
    known = {*sources.annotations(), f"{GROUP}/{VERSION}"}
    for name in re.findall(rf"(?<!exchangerate\.){re.escape(GROUP)}/[\w-]+", text):
        assert name in known, name
    series = {name for metric in sources.all_metrics() for name in _series(metric.name)}
    for name in re.findall(r"\bexchangerates_\w+", text):
        assert name in series | {"exchangerates_infra"}, name
    for name in re.findall(r"\bEXCHANGERATES_\w+", text):
        assert name in set(Env), name
    for name in re.findall(r"managed-by[=:] ?([\w-]+)", text):
        assert name == FIELD_MANAGER, name


@each_page
def test_every_word_of_code_is_in_the_sources(page: Path) -> None:
    """Fields, keys, reasons, kinds, alerts: a camelCase word that stands as code is written so in the code, too."""
    known = _words()
    for code in re.findall(r"`([^`\n]+)`", pages.text_of(page)):
        for word in re.findall(r"(?<![\w-])(?:[a-z]+|[A-Z][a-z]+)(?:[A-Z][a-z]+)+(?![\w-])", code):
            assert word in known | FOREIGN, f"{word} in `{code}`"


@each_page
def test_every_file_and_module_is_there(page: Path) -> None:
    """What a page names by its path in the repository, and what it runs with `python -m`."""
    for code in pages.code_of(page):
        for path in re.findall(r"(?<![\w./-])((?:operator|infra|tests|docs|\.ci)/[\w./-]*\w)", code):
            assert (ROOT / path).exists(), path
        for module in re.findall(r"python -m ([\w.]+)", code):
            assert importlib.util.find_spec(module) is not None, module


def _series(metric: str) -> set[str]:
    return {metric, *(f"{metric}_{part}" for part in ("bucket", "sum", "count"))}


def _words() -> set[str]:
    """Give every word of the product's sources."""
    found: set[str] = set()
    for root in ("operator", "infra"):
        for path in (ROOT / root).rglob("*"):
            if path.suffix in {".py", ".yaml", ".json"}:
                found |= set(re.findall(r"[A-Za-z]+", path.read_text(encoding="utf-8")))
    return found | set(re.findall(r"[A-Za-z]+", (ROOT / "Pulumi.yaml").read_text(encoding="utf-8")))
