"""What is in the image that `operator/Dockerfile` makes, and what is not."""

import re
from pathlib import Path

import pytest
from tests.node.images import Images

from exchangerates_infra.project import ROOT

SOURCES = ROOT / "operator" / "exchangerates"
LOOK = """
import os, sys
import exchangerates.__main__
specs = [module.__spec__ for module in sys.modules.values() if getattr(module, "__spec__", None)]
assert len([spec for spec in specs if spec.cached]) > 100
bare = [spec.name for spec in specs if spec.cached and not os.path.exists(spec.cached)]
assert not bare, bare
"""
"""Ends well where each module that the operator imports comes with bytecode."""


@pytest.fixture(scope="session")
def layers(images: Images, operator_image: str) -> list[dict[str, int]]:
    """The image's files, by layer; the first is the base's."""
    return images.files(operator_image)


@pytest.fixture(scope="session")
def files(layers: list[dict[str, int]]) -> set[str]:
    """All of the image's files."""
    return {path for layer in layers for path in layer}


def test_it_runs_as_a_numeric_user(images: Images, operator_image: str) -> None:
    """Kubernetes can tell from the number alone that it is not root; what is started is the operator."""
    config = images.config(operator_image)["config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["python3", "-m", "exchangerates"]
    assert config.get("Cmd") is None
    assert config["Labels"]["org.opencontainers.image.version"] == "0.0.1"


def test_it_has_the_operator_and_what_it_needs(files: set[str]) -> None:
    """Every source file and the CRD, compiled ahead, and the five direct dependencies."""
    wanted = {
        f"/app/exchangerates/{path.relative_to(SOURCES)}"
        for path in SOURCES.rglob("*")
        if path.suffix in {".py", ".yaml"}
    }
    assert wanted - files == set()
    assert any(re.fullmatch(r"/app/exchangerates/__pycache__/reconcile\.cpython-3\d+\.pyc", path) for path in files)
    assert {path.split("/")[2] for path in files if path.startswith("/app/")} >= {
        "aiohttp",
        "kopf",
        "prometheus_client",
        "requests",
    }


@pytest.mark.parametrize(
    "pattern",
    [
        r"/pip/|/pip-|/pip3?$|/ensurepip/|/wheel-.*\.dist-info/",
        r"/pulumi|/localcluster|/exchangerates_infra|/cryptography/",
        r"/kubernetes/|/kubernetes_asyncio/|/pykube/",
        r"/bin/(.*-)?(gcc|g\+\+|cc|c\+\+|clang|ld|make)$",
        r"^/build/|^/app/tests/|^/app/requirements\.txt$|Dockerfile|/\.git/|\.dockerignore$",
    ],
)
def test_it_has_nothing_else(files: set[str], pattern: str) -> None:
    """No installer, nothing of Pulumi or the embedded cluster, no second client, no compiler, no build's leftovers."""
    assert [path for path in sorted(files) if re.search(pattern, path)][:10] == []


def test_nothing_is_compiled_at_a_start(images: Images, operator_image: str, tmp_path: Path) -> None:
    """The base has no bytecode of the standard library, and where the root is read-only a start could keep none."""
    (tmp_path / "look.py").write_text(LOOK)
    (tmp_path / "Dockerfile").write_text(f'FROM {operator_image}\nCOPY look.py /\nRUN ["python3", "/look.py"]\n')
    images.build(tmp_path, images.name("looked-at", "test"))


def test_it_brings_little(images: Images, operator_image: str, layers: list[dict[str, int]]) -> None:
    """Beside the base: under 10 MB to pull and 45 MB on disk, almost all of it dependencies and bytecode."""
    pulled = [layer["size"] for layer in images.manifest(operator_image)["layers"]]
    on_disk = [sum(layer.values()) for layer in layers]
    assert sum(pulled[1:]) < 10e6, pulled
    assert sum(on_disk[1:]) < 45e6, on_disk
    assert sum(pulled[-2:]) > 0.95 * sum(pulled[1:])


def test_what_is_not_named_never_reaches_the_builder(images: Images, tmp_path: Path) -> None:
    """The allow list of the build: a stray file, or a secret, beside the Dockerfile is not in the context."""
    for name in ("Dockerfile", "Dockerfile.dockerignore", "requirements.txt"):
        (tmp_path / name).write_bytes((ROOT / "operator" / name).read_bytes())
    (tmp_path / "exchangerates").mkdir()
    (tmp_path / "exchangerates" / "taken.py").touch()
    (tmp_path / ".env").write_text("KEY=planted")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    digest = images.build(tmp_path, images.name("context", "test"))
    seen = {path for layer in images.files(f"127.0.0.1:{images.port}/context@{digest}") for path in layer}
    assert seen == {"/requirements.txt", "/exchangerates/taken.py"}
