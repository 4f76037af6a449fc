"""Emphasis for a person's terminal; a pipe, a file and who sets NO_COLOR get plain text."""

import os
from typing import Final, TextIO

BOLD: Final = "1"
GREEN: Final = "32"
YELLOW: Final = "33"


def emphasised(text: str, style: str, stream: TextIO) -> str:
    """Give a text as it is to be written to a stream.

    Args:
        text: One line.
        style: One of this module's.
        stream: Where it goes.
    """
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{style}m{text}\x1b[0m"
