"""Images that are built for real from Dockerfiles, and looked at, in a registry of this machine."""

import configparser
import fcntl
import io
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests
from tests.node.builder_main import REGISTRY, ROOT_FILES, SOCKET
from tests.node.enclosure import Enclosure

from exchangerates_infra.project import ROOT
from localcluster.builds import cache_directory
from localcluster.errors import LocalClusterError

STORAGE: Final = cache_directory() / "node-registry"
"""The registry's own files: the base image, and what BuildKit keeps of earlier builds."""
BASE_RECIPE: Final = "2"
"""Another number makes the base image anew."""
_TOO_MUCH_BYTES: Final = 3 * 2**30
_PIP_SETTINGS: Final = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
_INDEX: Final = "application/vnd.oci.image.index.v1+json"
_WHITEOUT: Final = ".wh."
"""What an image's layer has in place of a file that is gone from it."""
_BASE: Final = """FROM scratch
ADD rootfs.tar /
COPY pip.conf /etc/pip.conf
USER 1001
CMD ["sh"]
"""
"""As bare as the published base image, and with a user who is not root, as other bases have."""
_PAUSE: Final = """FROM {base}
USER 0
ENTRYPOINT ["sleep", "infinity"]
"""


class Images:
    """A registry and a BuildKit in an enclosure with this machine's network.

    Args:
        programs: The directory of BuildKit.

    Attributes:
        base: The reference of a stand-in for the published base image.
        pause: The reference of an image that does nothing, for Pods' sandboxes.
        bases_to_build_on: The same two under the names that they have in builds.
        port: The registry's port, on loopback.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._enclosure = Enclosure(network=False)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        suite, self._mirror = _debian()
        self._tag = f"{suite}-{BASE_RECIPE}"
        self.base, self.pause = self.name("base", self._tag), self.name("pause", self._tag)
        # Under names that do not change with the port, which would change every later layer too.
        self.bases_to_build_on = tuple(f"{REGISTRY}/{repository}:{self._tag}" for repository in ("base", "pause"))

    def start(self, report: Callable[[str], None]) -> None:
        """Start both, and make the stand-in base where there is none yet."""
        STORAGE.mkdir(parents=True, exist_ok=True)
        with only_one():
            if sum(file.stat().st_size for file in STORAGE.rglob("*") if file.is_file()) > _TOO_MUCH_BYTES:
                shutil.rmtree(STORAGE)
            made = all(self._is_there(repository) for repository in ("base", "pause"))
            debian = ("", "") if made else (self._tag.partition("-")[0], self._mirror)
            if not made:
                report("making a base image of Debian's packages, once; it usually takes 2 minutes")
            self._enclosure.start("builder_main", str(self._programs), str(STORAGE), str(self.port), *debian)
            if not made:
                self._make_base()

    def stop(self) -> None:
        """End both; the registry's files stay."""
        self._enclosure.stop()

    @property
    def buildkit(self) -> str:
        """BuildKit's address."""
        return f"unix://{self._enclosure.directory / SOCKET}"

    def name(self, repository: str, tag: str) -> str:
        """Give an image's reference in this registry."""
        return f"127.0.0.1:{self.port}/{repository}:{tag}"

    def operator(self, version: str, *options: str) -> str:
        """Build the operator's image from its Dockerfile and give its reference by digest."""
        cache = f"type=registry,ref={self.name('exchange-rate-operator', 'buildcache')}"
        with only_one(), _private_clone() as context:
            digest = self.build(
                context,
                self.name("exchange-rate-operator", version),
                f"--export-cache={cache},mode=max",
                f"--import-cache={cache}",
                *options,
                BASE_IMAGE=self.bases_to_build_on[0],
                VERSION=version,
            )
        return f"127.0.0.1:{self.port}/exchange-rate-operator@{digest}"

    def build(self, context: Path, name: str, *options: str, **arguments: str) -> str:
        """Build a directory's Dockerfile, push the image and give its digest.

        Raises:
            LocalClusterError: It cannot be built.
        """
        proxies = {
            key: value for key, value in os.environ.items() if key.upper() in {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
        }
        result = self._enclosure.directory / "built.json"
        command = [
            str(self._programs / "buildctl"),
            f"--addr={self.buildkit}",
            "build",
            "--progress=plain",
            "--frontend=dockerfile.v0",
            f"--local=context={context}",
            f"--local=dockerfile={context}",
            f"--output=type=image,name={name},push=true",
            f"--metadata-file={result}",
            *options,
            *(f"--opt=build-arg:{key}={value}" for key, value in {**proxies, **arguments}.items()),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise LocalClusterError(f"{context} cannot be built:\n{done.stderr[-4000:]}")
        return str(json.loads(result.read_text(encoding="utf-8"))["containerimage.digest"])

    def manifest(self, reference: str) -> dict[str, Any]:
        """Give an image's manifest."""
        found = self._read(reference, "manifests", reference.rpartition("@")[2], f"{_INDEX}, {_MANIFEST}").json()
        if "manifests" in found:
            (image,) = [entry for entry in found["manifests"] if entry["platform"]["os"] != "unknown"]
            found = self._read(reference, "manifests", image["digest"], _MANIFEST).json()
        return dict(found)

    def config(self, reference: str) -> dict[str, Any]:
        """Give an image's configuration."""
        digest = self.manifest(reference)["config"]["digest"]
        return dict(self._read(reference, "blobs", digest, "*/*").json())

    def files(self, reference: str) -> list[dict[str, int]]:
        """Give the files that a container sees, with their sizes in bytes, by the layer that brings them."""
        layers: list[dict[str, int]] = []
        for layer in self.manifest(reference)["layers"]:
            content = io.BytesIO(self._read(reference, "blobs", layer["digest"], "*/*").content)
            new: dict[str, int] = {}
            with tarfile.open(fileobj=content, mode="r:*") as tar:
                for member in tar:
                    path = Path("/") / member.name
                    if path.name.startswith(_WHITEOUT):
                        _hide(layers, path.with_name(path.name.removeprefix(_WHITEOUT)))
                    elif not member.isdir():
                        new[str(path)] = member.size
            layers = [{path: size for path, size in layer.items() if path not in new} for layer in layers]
            layers.append(new)
        return layers

    def _read(self, reference: str, kind: str, digest: str, accept: str) -> requests.Response:
        repository = reference.partition("/")[2].partition("@")[0]
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(
                f"http://127.0.0.1:{self.port}/v2/{repository}/{kind}/{digest}",
                headers={"Accept": accept},
                timeout=30.0,
            )
        answer.raise_for_status()
        return answer

    def _is_there(self, repository: str) -> bool:
        return (STORAGE / f"docker/registry/v2/repositories/{repository}/_manifests/tags/{self._tag}/current").exists()

    def _make_base(self) -> None:
        context = (self._enclosure.directory / ROOT_FILES).parent
        (context / "pip.conf").write_text(_pip_settings(), encoding="utf-8")
        (context / "Dockerfile").write_text(_BASE, encoding="utf-8")
        (context / ".dockerignore").write_text("root\n", encoding="utf-8")
        self.build(context, self.base)
        with tempfile.TemporaryDirectory() as empty:
            (Path(empty) / "Dockerfile").write_text(_PAUSE.format(base=self.bases_to_build_on[0]), encoding="utf-8")
            self.build(Path(empty), self.pause)


def _hide(layers: list[dict[str, int]], path: Path) -> None:
    """Take a file, or a directory with all that is in it, from the layers below."""
    for layer in layers:
        for hidden in [there for there in layer if Path(there).is_relative_to(path)]:
            del layer[hidden]


@contextmanager
def _private_clone() -> Iterator[Path]:
    """Give the image's context as it is where somebody with a strict umask has cloned it: the owner alone reads it."""
    with tempfile.TemporaryDirectory() as directory:
        context = Path(directory) / "operator"
        shutil.copytree(ROOT / "operator", context)
        for path in (context, *context.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
        yield context


@contextmanager
def only_one() -> Iterator[None]:
    """Keep other test runs from writing to the registry's files at the same time."""
    with STORAGE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _debian() -> tuple[str, str]:
    """Give this machine's Debian release and where it gets its packages from."""
    release = configparser.ConfigParser()
    release.read_string("[os]\n" + Path("/etc/os-release").read_text(encoding="utf-8"))
    suite = release["os"].get("VERSION_CODENAME", "")
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(rf"^(\S+) {re.escape(suite)} main$", listed, re.MULTILINE) if suite else None
    if found is None:
        raise LocalClusterError("apt-get knows no Debian mirror for this release; the base image is made from it")
    return suite, found.group(1)


def _pip_settings() -> str:
    """Give this machine's way to the Python package index, as a pip.conf; the environment goes before files."""
    files = configparser.ConfigParser()
    home = Path.home()
    files.read(["/etc/pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf"])
    found: Mapping[str, str] = files["global"] if files.has_section("global") else {}
    values = {key: os.environ.get(f"PIP_{key.upper().replace('-', '_')}", found.get(key)) for key in _PIP_SETTINGS}
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in values.items() if value)
