"""How the tests are spread over processes."""

import gc
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

DIRECTORIES = ("node", "cluster", "infra", "docs", "unit")
LONGEST = (
    "test_localcluster",
    "test_watches",
    "test_teardown",
    "test_refresh",
    "test_outage",
    "test_shutdown",
    "test_fetching",
    "test_crd_lifecycle",
)
"""The files of `tests/cluster` that take more than a minute. Those with few tests are not the first: a process that has
two left, however long they take, is given the next file."""


class OneNode(LoadFileScheduling):  # type: ignore[misc] # xdist ships no types
    """A file's tests share a process, and so do those of the node: there is to be one."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "tests/node" if file.startswith("tests/node/") else file


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Give the number of processes: most of the time the cluster's tests wait, and to begin takes each two seconds."""
    tests = config.rootpath / "tests"
    quick = tuple(str(tests / name) for name in ("infra", "docs", "unit"))
    return 3 if all(str(config.invocation_params.dir / given).startswith(quick) for given in config.args) else 4


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest: a process that gets it last would work on alone in the end."""
    tests = config.rootpath / "tests"
    items.sort(key=lambda item: _turn(item.path.relative_to(tests)))


def _turn(file: Path) -> tuple[int, int]:
    """Give what a test file is sorted by."""
    return DIRECTORIES.index(file.parts[0]), LONGEST.index(file.stem) if file.stem in LONGEST else len(LONGEST)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: it stays, and to look at it again and again takes its time."""
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> OneNode:
    """Give the scheduler that `--dist=loadfile` means here."""
    return OneNode(config, log)
