"""The first process of the enclosure that builds images: a registry on the machine's loopback, and BuildKit.

It has the machine's network: installing the operator's dependencies needs the Python package index.
"""

import sys
import tarfile
from pathlib import Path
from typing import Final

import requests
import yaml
from tests.node.first import run, serve, settle, start, succeeds, wait_for

from localcluster.processes import Process

SOCKET: Final = "run/buildkitd.sock"
ROOT_FILES: Final = "base/rootfs.tar"
REGISTRY: Final = "registry.test"
"""A name for the registry in builds; the top-level domain is reserved for tests."""
_BUILDKIT: Final = """[registry."{registry}"]
  mirrors = ["127.0.0.1:{port}"]
[registry."127.0.0.1:{port}"]
  http = true
"""
_BASE_PACKAGES: Final = "python3,python3-pip,ca-certificates"
_AUTHORITIES: Final = Path("etc/ssl/certs/ca-certificates.crt")


def main(directory: Path, programs: Path, storage: Path, port: int, suite: str, mirror: str) -> None:
    """Start both; with a suite and a mirror of Debian also make the files of a base image."""
    settle(directory, network=False)
    registry = start_registry(directory, storage, port, read_only=False)
    socket = f"unix://{directory / SOCKET}"
    config = directory / "buildkitd.toml"
    config.write_text(_BUILDKIT.format(registry=REGISTRY, port=port), encoding="utf-8")
    # The machine's network also for what is built: its own would need a way out.
    workers = ["--oci-worker=true", "--containerd-worker=false", "--oci-worker-net=host"]
    places = [f"--addr={socket}", f"--config={config}", "--root=/var/lib/buildkit"]
    buildkit = start(directory, "buildkitd", [programs / "buildkitd", *workers, *places])
    if suite:
        _make_root_files(directory, suite, mirror)
    wait_for(registry, lambda: answers(f"http://127.0.0.1:{port}/v2/"), "listening")
    wait_for(buildkit, lambda: succeeds(programs / "buildctl", f"--addr={socket}", "debug", "workers"), "listening")
    serve(directory)


def start_registry(directory: Path, storage: Path, port: int, *, read_only: bool) -> Process:
    """Start a registry; several may read one storage while one writes."""
    kept: dict[str, object] = {"filesystem": {"rootdirectory": str(storage)}}
    if read_only:
        kept["maintenance"] = {"readonly": {"enabled": True}}
    settings = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": kept,
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    file = directory / "registry.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return start(directory, "registry", ["docker-registry", "serve", file])


def answers(url: str) -> bool:
    """Tell whether a server of this network answers well."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(url, timeout=5.0).ok
        except requests.RequestException:
            return False


def _make_root_files(directory: Path, suite: str, mirror: str) -> None:
    """Make a base image's files: Debian's smallest system with Python and pip, trusting whom this machine trusts."""
    root, archive = directory / "base" / "root", directory / ROOT_FILES
    run("debootstrap", "--variant=minbase", f"--include={_BASE_PACKAGES}", suite, root, mirror)
    (root / _AUTHORITIES).write_bytes((Path("/") / _AUTHORITIES).read_bytes())
    for downloads in (root / "var/cache/apt/archives", root / "var/lib/apt/lists"):
        for file in downloads.iterdir():
            if file.is_file():
                file.unlink()
    # The published image comes without the standard library's bytecode: so does this.
    for compiled in root.rglob("*.pyc"):
        compiled.unlink()
    with tarfile.open(archive, "w") as tar:
        tar.add(root, arcname=".", filter=lambda member: None if member.name.startswith("./dev/") else member)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(Path(arguments[0]), Path(arguments[1]), Path(arguments[2]), int(arguments[3]), *arguments[4:6])
