"""Measures the image, and what its Pod uses with no, 1,000 and 5,000 objects: `python -m tests.node.measure`, as root.

The stack's requests and limits come from what it prints. Memory is what the kernel holds against the limit and cannot
take back: anonymous memory, as the container's cgroup counts it.
"""

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.node.cgroups import is_unified
from tests.node.images import Images
from tests.node.node import Node, pod_reference
from tests.node.node_main import BRIDGE
from tests.node.programs import ensure_programs
from tests.node.stack import Stack

from exchangerates.api import API_VERSION, KIND
from localcluster.binaries import ensure_binaries
from localcluster.client import Reference
from localcluster.processes import wait_until
from localcluster.rateserver import RateServer

NUMBERS: Final = (0, 1000, 5000)
NAMESPACE: Final = "measured"
QUIET_S: Final = 60.0
_CURRENCIES: Final = ("USD", "JPY", "GBP", "CHF", "SEK")


def tell(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Meter:
    """What one Pod's container has used: CPU in seconds, memory in MB, and the most that was seen of it."""

    def __init__(self, node: Node, pod: dict[str, Any]) -> None:
        self._memory = node.cgroup(pod, "memory") / "memory.stat"
        self._anonymous = "anon" if is_unified() else "total_rss"
        self._cpu = (
            node.cgroup(pod, "cpu") / "cpu.stat" if is_unified() else node.cgroup(pod, "cpuacct") / "cpuacct.usage"
        )
        self.most = 0.0

    def memory(self) -> float:
        """Read the memory."""
        now = int(_values(self._memory)[self._anonymous]) / 1e6
        self.most = max(self.most, now)
        return now

    def cpu(self) -> float:
        """Read the CPU time."""
        if is_unified():
            return int(_values(self._cpu)["usage_usec"]) / 1e6
        return int(self._cpu.read_text()) / 1e9

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look for the most while something goes on."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(0.1):
                self.memory()

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _values(file: Path) -> dict[str, str]:
    return dict(line.split() for line in file.read_text().splitlines())


def published(stack: Stack) -> int:
    """Count the namespace's ConfigMaps that hold a rate."""
    return sum("rate" in body.get("data", {}) for body in stack.client.items("v1", "ConfigMap", NAMESPACE))


def grow(stack: Stack, start: int, end: int) -> None:
    """Create ExchangeRates until there are so many, and wait until all are published."""

    def create(number: int) -> None:
        metadata = {"name": f"rate-{number}", "namespace": NAMESPACE}
        spec = {"currency": _CURRENCIES[number % len(_CURRENCIES)]}
        stack.client.create({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, range(start, end)))
    if not wait_until(lambda: published(stack) == end, 600.0, poll_s=1.0):
        sys.exit(f"{published(stack)} of {end} were published in time")


def layers(images: Images, image: str) -> None:
    """Tell each layer's size, as it is pulled and as its files are."""
    pulled = [layer["size"] / 1e6 for layer in images.manifest(image)["layers"]]
    for number, (size, files) in enumerate(zip(pulled, images.files(image), strict=True), 1):
        tell(f"layer {number}: {size:.1f} MB to pull, {sum(files.values()) / 1e6:.1f} MB on disk")


def first_rate(stack: Stack, node: Node) -> None:
    """Tell how long a new process takes until an ExchangeRate that waits for it is published."""
    reference = Reference(API_VERSION, KIND, "default", "first")
    (before,) = node.pids(stack.wait_available())
    os.kill(before, signal.SIGKILL)
    metadata = {"name": reference.name, "namespace": reference.namespace}
    stack.client.create({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {"currency": "CHF"}})
    published_as = Reference("v1", "ConfigMap", reference.namespace, reference.name)
    wait_until(lambda: stack.client.get(published_as), 60.0, poll_s=0.02)
    up_s = float(Path("/proc/uptime").read_text().split()[0])
    (pid,) = node.pids(stack.wait_available())
    started_s = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    tell(f"a rate is published {up_s - started_s:.1f} s after the start of the process")
    stack.client.delete(reference)


def measure(stack: Stack, node: Node) -> None:
    """Grow step by step; at each, look at the growth, at quiet, and at a restart."""
    first_rate(stack, node)
    stack.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    before = 0
    for number in NUMBERS:
        meter, began, quiet = Meter(node, stack.wait_available()), time.monotonic(), threading.Event()
        cpu = meter.cpu()
        with meter.watching():
            grow(stack, before, number)
        took_s, used_s = time.monotonic() - began, meter.cpu() - cpu
        tell(f"{number} objects: grew in {took_s:.1f} s with {used_s:.1f} CPU s, at most {meter.most:.0f} MB")
        before, cpu = number, meter.cpu()
        quiet.wait(QUIET_S)
        tell(f"{number} objects: quiet {(meter.cpu() - cpu) / QUIET_S * 1000:.1f} mCPU, {meter.memory():.0f} MB")
        stack.client.delete(pod_reference(stack.pods()[0]))
        meter = Meter(node, stack.wait_available())
        with meter.watching():
            quiet.wait(QUIET_S / 2)
        tell(f"{number} objects: restarted and settled with {meter.cpu():.1f} CPU s, at most {meter.most:.0f} MB")


def main() -> None:
    """Start a node with the stack, and measure."""
    images, node = Images(ensure_programs(tell)), Node()
    try:
        images.start(tell)
        image = images.operator("0.0.1")
        layers(images, image)
        node.start(ensure_binaries(tell), ensure_programs(tell), images)
        with node.inside(), RateServer(host=BRIDGE, isolated=True) as rates, tempfile.TemporaryDirectory() as memory:
            stack = Stack(node, Path(memory) / "applied.json", {"image": {"ref": image}, "providerUrls": rates.urls()})
            stack.apply()
            measure(stack, node)
    finally:
        node.stop()
        images.stop()


if __name__ == "__main__":
    main()
