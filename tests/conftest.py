"""How the tests are spread over processes."""

import pytest
from xdist.scheduler import LoadFileScheduling


class OneNode(LoadFileScheduling):  # type: ignore[misc] # xdist ships no types
    """A file's tests share a process, and so do those of the node: there is to be one."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "tests/node" if file.startswith("tests/node/") else file


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest: a process that gets it last would work on alone in the end."""
    order = ("node", "cluster", "infra", "unit")
    items.sort(key=lambda item: order.index(item.path.relative_to(config.rootpath / "tests").parts[0]))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> OneNode:
    """Give the scheduler that `--dist=loadfile` means here."""
    return OneNode(config, log)
