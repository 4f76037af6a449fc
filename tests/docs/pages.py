"""Reads the project's Markdown: links, anchors, and what is code."""

import re
from pathlib import Path
from typing import Final

from exchangerates_infra.project import ROOT

PAGES: Final = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))
"""Every page that people read."""
_FENCE: Final = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    """Give a page's text."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """Give a page's blocks of code in one language."""
    return [code for kind, code in _FENCE.findall(text_of(page)) if kind == language]


def code_of(page: Path) -> list[str]:
    """Give a page's lines of code, and what it says of code within its sentences."""
    found = [line for _, code in _FENCE.findall(text_of(page)) for line in code.splitlines()]
    return found + re.findall(r"`([^`\n]+)`", _FENCE.sub("", text_of(page)))


def links(page: Path) -> list[str]:
    """Give the targets of a page's links and pictures."""
    prose = re.sub(r"`[^`\n]+`", "", _FENCE.sub("", text_of(page)))
    return re.findall(r"\]\(([^)\s]+)[^)]*\)", prose)


def anchors(page: Path) -> set[str]:
    """Give what can follow a `#` in a link to a page, as GitHub makes it of the headings."""
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} (.+)$", _FENCE.sub("", text_of(page)), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        again = found.count(slug)
        found += [slug, *([f"{slug}-{again}"] if again else [])]
    return set(found)
