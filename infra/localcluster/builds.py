"""Programs that are built from their Go modules once per version, and kept in the user's cache.

The cache's directory is named by what goes into a build. An interrupted build keeps the programs that were finished,
and two builds at once become one.
"""

import fcntl
import hashlib
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from localcluster.errors import LocalClusterError
from localcluster.processes import wait_until
from localcluster.toolchain import find_go

Report = Callable[[str], None]

_REPORT_EVERY_S: Final = 15.0
_TAIL_LINES: Final = 12


@dataclass(frozen=True)
class Program:
    """One program.

    Attributes:
        name: Its file.
        module: The directory of its Go module.
        package: Its package in the module.
        usually: How long it takes to build on two cores, with its downloads.
    """

    name: str
    module: str
    package: str
    usually: str


@dataclass(frozen=True)
class Build:
    """Programs that belong together.

    Attributes:
        what: What they are, for messages.
        name: How their directory in the cache begins.
        modules: The directory that holds the directories of their Go modules.
        programs: The programs, in the order in which they are built.
        flags: What the linker is told.
        usually: How long all of them take.
        otherwise: What to do where none of them can be built, for a message.
        tags: The build tags.
    """

    what: str
    name: str
    modules: Path
    programs: tuple[Program, ...]
    flags: str
    usually: str
    otherwise: str
    tags: str = ""

    def ensure(self, report: Report) -> Path:
        """Give a directory of the cache that holds all programs; those that are missing are built.

        Raises:
            LocalClusterError: They cannot be built.
        """
        directory = cache_directory() / f"{self.name}-{self._key()}"
        if self.missing(directory):
            directory.mkdir(parents=True, exist_ok=True)
            with self._only_builder(directory, report):
                self._build_missing(directory, report)
        return directory

    def missing(self, directory: Path) -> list[Program]:
        """Give the programs that a directory does not hold."""
        return [program for program in self.programs if not os.access(directory / program.name, os.X_OK)]

    def _key(self) -> str:
        """Name what goes into a build: the modules and their sums, the flags and the platform."""
        digest = hashlib.sha256(f"{self.flags}{self.tags} {platform.system()} {platform.machine()}".encode())
        for path in sorted(self.modules.glob("*/go.*")):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:12]

    @contextmanager
    def _only_builder(self, directory: Path, report: Report) -> Iterator[None]:
        """Hold the directory's lock; the kernel frees it with the process, however that ends."""
        with (directory / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report(f"another process builds the {self.what} at the moment; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _build_missing(self, directory: Path, report: Report) -> None:
        missing = self.missing(directory)
        if not missing:
            return  # the one that was waited for has built them
        for leftover in directory.glob("*.half"):
            leftover.unlink()
        go = find_go(report)
        report(f"building the {self.what} from its Go modules, once; it usually takes {self.usually} on two cores")
        for program in missing:
            self._build(go, program, directory, report)

    def _build(self, go: list[str], program: Program, directory: Path, report: Report) -> None:
        """Build one program beside its place and move it there when it is whole."""
        what = f"{program.name} ({self.programs.index(program) + 1} of {len(self.programs)})"
        half, log = directory / f"{program.name}.half", directory / f"{program.name}.log"
        tags = ["-tags", self.tags] if self.tags else []
        command = [*go, "build", "-trimpath", *tags, "-ldflags", self.flags, "-o", str(half), program.package]
        report(f"building {what}; usually {program.usually}")
        began = time.monotonic()
        with log.open("wb") as output:
            build = subprocess.Popen(
                command,
                cwd=self.modules / program.module,
                env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                while not wait_until(lambda: build.poll() is not None, _REPORT_EVERY_S):
                    report(f"building {what}; {time.monotonic() - began:.0f} s so far, usually {program.usually}")
            finally:
                build.terminate()
                build.wait()
        if build.returncode != 0:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:])
            raise LocalClusterError(
                f"{program.name} could not be built (go build ended with {build.returncode}):\n{tail}\n"
                f"The whole output is in {log}. {self.otherwise}; then run the same command again: what was finished "
                "is kept."
            )
        half.replace(directory / program.name)
        report(f"built {what} in {time.monotonic() - began:.0f} s")


def cache_directory() -> Path:
    """Give the user's cache directory of this project."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "exchange-rate-operator"
