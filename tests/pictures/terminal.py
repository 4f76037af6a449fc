"""Writes docs/localcluster-up.svg: what a terminal shows after `localcluster up`, in a directory of its own."""

import os
import pty
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from exchangerates_infra.project import ROOT
from localcluster import __main__ as command
from localcluster import workspace

PICTURE: Final = ROOT / "docs/localcluster-up.svg"
PROMPT: Final = "$ uv run localcluster up"
_COLUMN, _LINE, _MARGIN = 7.8, 18.0, 16.0
_STYLES: Final = {"1": "font-weight:bold;fill:#fff", "32": "fill:#73bf69", "33": "fill:#f2cc0c"}
"""How the codes look that `localcluster.terminal` has."""
_SVG: Final = "{http://www.w3.org/2000/svg}"


def main() -> None:
    """Bring a cluster up in a terminal, write the picture, and take the cluster down."""
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "state"
        shown = _in_a_terminal(state, "up")
        _in_a_terminal(state, "down")
    PICTURE.write_text(drawing([PROMPT, *shown]), encoding="utf-8")


def drawing(lines: list[str]) -> str:
    """Give the picture of lines that may hold codes for emphasis."""
    width = max(len("".join(text for text, _ in _runs(line))) for line in lines) * _COLUMN + 2 * _MARGIN
    height = len(lines) * _LINE + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
        "<style>text{font:13px monospace;fill:#ccccdc}</style>",
        f'<rect width="{width:.0f}" height="{height:.0f}" rx="6" fill="#181b1f"/>',
    ]
    for number, line in enumerate(lines):
        spans = "".join(
            f'<tspan style="{style}">{_whole(text)}</tspan>' if style else _whole(text) for text, style in _runs(line)
        )
        length = len("".join(text for text, _ in _runs(line))) * _COLUMN
        if spans:
            y = _MARGIN + _LINE * (number + 0.75)
            parts.append(f'<text x="{_MARGIN:.0f}" y="{y:.1f}" textLength="{length:.1f}">{spans}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _whole(text: str) -> str:
    """Give a text with spaces that no viewer folds into one."""
    return escape(text).replace(" ", "\N{NO-BREAK SPACE}")


def text_of(picture: Path) -> list[str]:
    """Give the lines that a picture shows, without the empty ones."""
    root = ET.parse(picture).getroot()  # noqa: S314 - a file of this repository
    return ["".join(text.itertext()).replace("\N{NO-BREAK SPACE}", " ") for text in root.iter(f"{_SVG}text")]


def _runs(line: str) -> Iterator[tuple[str, str]]:
    """Give the parts of a line with how each looks."""
    code = ""
    for part in re.split(r"(\x1b\[\d+m)", line):
        if part.startswith("\x1b"):
            code = part[2:-1]
        elif part:
            yield part, _STYLES.get(code, "")


def _in_a_terminal(state: Path, *arguments: str) -> list[str]:
    """Run a command as the only cluster's, with a terminal for its output, and give the lines."""
    child, terminal = pty.fork()
    if child == 0:
        workspace.STATE = state  # type: ignore[misc] # its messages then name no directory
        sys.argv = ["localcluster", "--state", str(state), *arguments]
        code = command.main()
        sys.stdout.flush()
        os._exit(code)
    output = b""
    try:
        while read := os.read(terminal, 65536):
            output += read
    except OSError:
        pass  # the end of the child is no end of file here
    _, status = os.waitpid(child, 0)
    text = output.decode().replace("\r\n", "\n").rstrip("\n")
    if status:
        raise RuntimeError(text)
    return text.split("\n")


if __name__ == "__main__":
    main()
