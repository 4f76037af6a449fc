"""How the Pulumi CLI is driven, with a CLI that only pretends to be one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exchangerates_infra.project import ROOT
from localcluster.errors import LocalClusterError
from localcluster.processes import wait_until
from localcluster.pulumi_cli import PulumiStack

CLI = """#!{python}
import pathlib, signal, sys, time
here = pathlib.Path(__file__).parent
def end(*_):
    (here / "cancelling").touch()
    time.sleep(1.0)
    (here / "lock").unlink()
    sys.exit(1)
if "up" in sys.argv:
    signal.signal(signal.SIGINT, end)
    (here / "lock").touch()
    signal.pause()
"""
DRIVER = """
import sys, pathlib
from localcluster.pulumi_cli import PulumiStack
here = pathlib.Path(sys.argv[1])
try:
    PulumiStack(str(here / "pulumi"), here / "state", "local").up({})
except KeyboardInterrupt:
    sys.exit(130)
"""


LOCK = """#!{python}
import fcntl, os, pathlib, sys
try:
    fcntl.flock(os.open(sys.argv[2], os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    found = "free"
except BlockingIOError:
    found = "locked"
with (pathlib.Path(__file__).parent / "found").open("a") as log:
    log.write(f"{sys.argv[4]} {found}\\n")
"""


def install(directory: Path, script: str) -> str:
    """Put a CLI there; give its path."""
    cli = directory / "pulumi"
    cli.write_text(script.replace("{python}", sys.executable))
    cli.chmod(0o755)
    return str(cli)


@pytest.mark.parametrize("to", ["the terminal", "the command"])
def test_an_interrupt_lets_the_cli_end_what_it_has_begun(tmp_path: Path, to: str) -> None:
    """Killed at work, it would leave the stack locked."""
    install(tmp_path, CLI)
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)],
        start_new_session=True,
        # A test run in the background ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads at work here
    ) as driver:
        assert wait_until((tmp_path / "lock").exists, 60.0)
        (os.killpg if to == "the terminal" else os.kill)(driver.pid, signal.SIGINT)
        assert driver.wait(60.0) == 130
    assert (tmp_path / "cancelling").exists()
    assert not (tmp_path / "lock").exists()


def test_a_failure_tells_how_a_lock_is_removed_and_how_to_do_without(tmp_path: Path) -> None:
    """The command can be typed as it is: it names the state that only this cluster uses."""
    cli = install(tmp_path, "#!/bin/sh\ncase $* in *' up '*) exit 255;; esac\n")
    before = (ROOT / "Pulumi.local.yaml").read_text()
    with pytest.raises(LocalClusterError) as caught:
        PulumiStack(cli, tmp_path / "state", "local").up({})
    assert "ended with 255" in str(caught.value)
    backend = f"PULUMI_BACKEND_URL=file://{tmp_path}/state/state PULUMI_CONFIG_PASSPHRASE= pulumi"
    assert f"{backend} cancel --yes --stack local" in str(caught.value)
    assert "up --without-pulumi" in str(caught.value)
    assert (ROOT / "Pulumi.local.yaml").read_text() == before


def test_two_at_once_keep_apart_while_the_committed_stack_file_is_changed(tmp_path: Path) -> None:
    """The CLI puts a new stack's salt there, and it is taken out again; another one would take it for committed."""
    PulumiStack(install(tmp_path, LOCK), tmp_path / "state", "local").up({})
    assert (tmp_path / "found").read_text().splitlines() == ["stack locked", "up free"]
