"""The tutorial's program, run as its Pod would run it: in the directory where the ConfigMap's files are."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.docs import pages

from exchangerates.api import KIND
from exchangerates_infra.project import ROOT
from localcluster.processes import wait_until

MANIFESTS = [yaml.safe_load(block) for block in pages.blocks(ROOT / "docs/tutorial.md", "yaml")]


SLEEP = "#!/bin/sh\necho >> rounds\nexec /bin/sleep 0.1\n"
"""Stands on PATH in place of the real one, and tells how often the program has looked."""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """Run the program; give the directory, with its log."""
    (deployment,) = [manifest for manifest in MANIFESTS if manifest["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (tmp_path / "rate").write_text("1.1172")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sleep").write_text(SLEEP)
    (tmp_path / "bin/sleep").chmod(0o700)
    environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    with (tmp_path / "log").open("w") as log:
        program = subprocess.Popen(container["command"], cwd=tmp_path, env=environment, stdout=log)
    try:
        yield tmp_path
        program.terminate()
        assert program.wait(20) == 0
    finally:
        program.kill()
        program.wait()


def test_the_program_follows_the_file(shop: Path) -> None:
    """It tells each rate once, however often it looks, and ends when it is told to."""

    def looked_again() -> None:
        seen = (shop / "rounds").read_text()
        assert wait_until(lambda: len((shop / "rounds").read_text()) > len(seen) + 3, 30)

    assert wait_until((shop / "rounds").exists, 30)
    looked_again()
    assert (shop / "log").read_text() == "from now on the rate is 1.1172\n"
    (shop / "next").write_text("1.339889662")
    (shop / "next").replace(shop / "rate")
    looked_again()
    assert (shop / "log").read_text() == "from now on the rate is 1.1172\nfrom now on the rate is 1.339889662\n"


def test_the_program_reads_what_the_operator_publishes() -> None:
    """The mounted ConfigMap is the ExchangeRate's, and it is mounted where the program looks."""
    rate, deployment = MANIFESTS
    assert rate["kind"] == KIND
    pod = deployment["spec"]["template"]["spec"]
    (volume,), (container,) = pod["volumes"], pod["containers"]
    (mount,) = container["volumeMounts"]
    assert volume["configMap"]["name"] == rate["metadata"]["name"]
    assert (mount["name"], mount["mountPath"]) == (volume["name"], container["workingDir"])
