"""A real Prometheus: Debian's package has it."""

import json
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import requests

from localcluster.processes import Process, wait_until

MISSING = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
"""What of it is not on PATH."""
INSTALL = "prometheus and promtool are not on PATH (on Debian and Ubuntu: apt-get install prometheus)"
_NOT_ITS_OWN = {"__name__", "instance", "job", "namespace"}


class Series(NamedTuple):
    """One series of an answer: its labels, and points of Unix time in seconds and value."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    def own_labels(self) -> str:
        """Give as text what tells it from the other series of its metric."""
        return ",".join(f"{key}={value}" for key, value in sorted(self.labels.items()) if key not in _NOT_ITS_OWN)


@dataclass(frozen=True)
class Prometheus:
    """A running one.

    Attributes:
        url: Its root address.
    """

    url: str

    def ask(self, expression: str, time: float | None = None) -> list[Series]:
        """Give the series of an instant, now where none is named; none while it does not answer."""
        return self._get("query", {"query": expression} | ({} if time is None else {"time": time}))

    def ask_range(self, expression: str, begin: float, end: float, step_s: float) -> list[Series]:
        """Give the series of a span of time, in Unix time."""
        return self._get("query_range", {"query": expression, "start": begin, "end": end, "step": step_s})

    def values(self, expression: str) -> dict[str, float]:
        """Give the values of this instant by the series' own labels."""
        return {series.own_labels(): series.points[0][1] for series in self.ask(expression)}

    def _get(self, path: str, parameters: Mapping[str, Any]) -> list[Series]:
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30.0).json()
        except (requests.RequestException, ValueError):
            return []
        if answer["status"] != "success":
            raise ValueError(f"{parameters['query']}: {answer['error']}")
        return [_series(found) for found in answer["data"]["result"]]


@contextmanager
def prometheus(
    directory: Path, *scrape_configs: Mapping[str, Any], storage: Path | None = None
) -> Iterator[Prometheus]:
    """Run one.

    Args:
        directory: Where its files are.
        scrape_configs: What it scrapes, every second.
        storage: Its blocks, of any time; otherwise it begins with none.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": scrape_configs}
    (directory / "prometheus.yml").write_text(json.dumps(config))
    process = Process(directory, "prometheus")
    process.start(
        [
            "prometheus",
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={storage or directory / 'tsdb'}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
    )
    running = Prometheus(f"http://127.0.0.1:{port}")
    try:
        assert wait_until(lambda: running.ask("vector(1)"), 60.0), process.tail()
        yield running
    finally:
        process.stop()


def _series(found: Mapping[str, Any]) -> Series:
    points = found["values"] if "values" in found else [found["value"]]
    return Series(found["metric"], [(float(time), float(value)) for time, value in points])
