"""The machine's cgroups: one hierarchy per controller (version 1), or one for all of them (version 2)."""

from pathlib import Path
from typing import Final

ROOT: Final = Path("/sys/fs/cgroup")
CONTROLLERS: Final = ("cpu", "memory", "pids")
"""What a kubelet and a container runtime take."""


def hierarchies() -> list[Path]:
    """Give the hierarchies with controllers; one of version 2 beside those of version 1 has none."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    return [Path(where) for where, kind in mounts if kind == "cgroup"] or ([ROOT] if is_unified() else [])


def is_unified() -> bool:
    """Tell whether there is one hierarchy for all controllers."""
    return (ROOT / "cgroup.controllers").exists()


def what_is_missing() -> str:
    """Say why the machine's cgroups will not do, and what to do about it; empty where they will."""
    if not is_unified():
        missing = [controller for controller in CONTROLLERS if not (ROOT / controller).is_dir()]
        return f"{', '.join(missing)} in {ROOT}, such as every systemd mounts" if missing else ""
    enabled = (ROOT / "cgroup.subtree_control").read_text(encoding="utf-8").split()
    missing = [f"+{controller}" for controller in CONTROLLERS if controller not in enabled]
    if not missing:
        return ""
    return (
        f"echo {' '.join(missing)} > {ROOT}/cgroup.subtree_control (systemd does it at its start; in a container the "
        "processes have to be moved to a group below first)"
    )
