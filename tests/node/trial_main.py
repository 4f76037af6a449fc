"""The first process of an enclosure that only holds one of each: a mount, a network interface, a cgroup, processes."""

import sys
from pathlib import Path

from tests.node.cgroups import ROOT, is_unified
from tests.node.first import run, serve, settle, start


def main(directory: Path) -> None:
    """Make them and wait for the end."""
    settle(directory, network=True)
    run("mount", "-t", "tmpfs", "trial", "/var/lib")
    run("ip", "link", "add", "trial", "type", "bridge")
    run("ip", "link", "set", "lo", "up")
    group = ROOT / "trial" if is_unified() else ROOT / "memory" / "trial"
    group.mkdir()
    start(directory, "in-a-cgroup", ["sh", "-c", f"echo $$ >{group}/cgroup.procs; exec sleep 3600"])
    start(directory, "deaf", ["sh", "-c", "trap '' TERM HUP INT; while :; do sleep 3600; done"])
    serve(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
