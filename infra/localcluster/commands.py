"""What each command does with one cluster."""

import shutil
import sys
from pathlib import Path
from typing import Final

from exchangerates_infra.recorder import record, stack_file_values
from localcluster.binaries import PROGRAMS, ensure_binaries
from localcluster.client import Client
from localcluster.control_plane import ControlPlane
from localcluster.errors import LocalClusterError
from localcluster.operator_process import OperatorProcess
from localcluster.processes import wait_until
from localcluster.pulumi_cli import PulumiStack, find_pulumi
from localcluster.rate_source import RateSource
from localcluster.rates import Row, rows, table
from localcluster.stack import AppliedStack
from localcluster.terminal import BOLD, GREEN, YELLOW, emphasised
from localcluster.workspace import CONTROL_PLANE, alone, command_line, purge

STACK: Final = "local"
LOGS: Final = ("operator", "rateserver", *(program.name for program in PROGRAMS))
_RATES_WITHIN_S: Final = 60.0


def report(text: str) -> None:
    """Tell how far a command is, where a pipe does not carry it on."""
    sys.stderr.write(f"{emphasised('==>', GREEN, sys.stderr)} {text}\n")
    sys.stderr.flush()


class LocalCluster:
    """One clone's cluster: a control plane, the operator and, without a network, the stand-in rate server.

    Args:
        state: Its directory.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._directory = state / CONTROL_PLANE
        self._source = RateSource(state)

    def up(self, *, stand_in: bool, without_pulumi: bool) -> int:
        """Start what does not run, apply the stack, and show its rates."""
        with alone(self._state):
            control_plane = ControlPlane(self._directory, ensure_binaries(report))
            started = control_plane.start(report)
            report(f"Kubernetes API server {'started' if started else 'is running'} at {control_plane.server}")
            overrides: dict[str, object] = {"kubeconfig": str(control_plane.kubeconfig)}
            urls = self._source.choose(report, stand_in=stand_in)
            if urls:
                overrides["providerUrls"] = urls
            # Its defaults are the only answer to which namespace it is, also where the CLI applies the stack.
            recording = record(STACK, stack_file_values(STACK, overrides))
            self._apply(control_plane, overrides, recording.manifests(), without_pulumi=without_pulumi)
            operator = OperatorProcess(self._state, control_plane)
            changed = operator.start(str(recording.outputs["namespace"]))
            report(f"operator {'started' if changed else 'is running'} (process {operator.process.pid})")
            return self._show_rates(control_plane, recording.outputs["exchangeRates"])

    def status(self) -> int:
        """Show what runs, and the rates; 0 where all is well."""
        control_plane = self._existing()
        operator = OperatorProcess(self._state, control_plane)
        found = [*control_plane.healthy(), ("operator", operator.process.pid, operator.is_ready())]
        if self._source.stand_in.is_wanted:
            found.append(("rateserver", self._source.stand_in.pid, self._source.is_well()))
        for name, pid, well in found:
            state = "not running" if pid is None else "well" if well else "not well"
            print(f"{name:<25} {state:<12} {'' if pid is None else f'process {pid}'}".rstrip())
        if not all(well for _, _, well in found):
            report(f"`{command_line(self._state)} up` starts what does not run")
            return 1
        with Client(control_plane.kubeconfig) as client:
            _print_table(rows(client))
        return 0

    def logs(self, component: str) -> int:
        """Print a component's log, as far as it is written."""
        directory = self._state if component in {"operator", "rateserver"} else self._directory
        log = directory / f"{component}.log"
        if not log.exists():
            raise LocalClusterError(f"{component} has not run here; start it with `{command_line(self._state)} up`")
        with log.open(encoding="utf-8", errors="replace") as lines:
            shutil.copyfileobj(lines, sys.stdout)
        return 0

    def kubeconfig(self) -> int:
        """Print the path of the kubeconfig file."""
        print(self._existing().kubeconfig)
        return 0

    def down(self, *, purge_data: bool) -> int:
        """Stop everything that runs."""
        if not self._state.exists():
            report(f"there is no cluster in {self._state}")
            return 0
        with alone(self._state):
            control_plane = ControlPlane(self._directory, Path())
            OperatorProcess(self._state, control_plane).process.stop()
            self._source.stand_in.stop()
            control_plane.stop()
            report("stopped")
            if purge_data:
                purge(self._state)
                report(f"{self._state} removed")
        return 0

    def _existing(self) -> ControlPlane:
        control_plane = ControlPlane(self._directory, Path())
        if not control_plane.kubeconfig.exists():
            raise LocalClusterError(
                f"there is no cluster in {self._state}; start one with `{command_line(self._state)} up`"
            )
        return control_plane

    def _apply(
        self,
        control_plane: ControlPlane,
        overrides: dict[str, object],
        manifests: list[dict[str, object]],
        *,
        without_pulumi: bool,
    ) -> None:
        with Client(control_plane.kubeconfig) as client:
            applied = AppliedStack(client, self._state / "applied.json")
            pulumi = None if without_pulumi or applied.references() else find_pulumi()
            if pulumi is not None:
                report(f"applying the stack with {pulumi}")
                PulumiStack(pulumi, self._state / "pulumi", STACK).up(overrides)
                return
            why = "as before" if applied.references() else "as asked" if without_pulumi else "it is not on PATH"
            changed = applied.apply(manifests)
            report(f"stack applied without the Pulumi CLI ({why}): {len(manifests)} objects, {changed} changed")

    def _show_rates(self, control_plane: ControlPlane, expected: list[str]) -> int:
        with Client(control_plane.kubeconfig) as client:

            def ready() -> bool:
                found = {f"{row.namespace}/{row.name}" for row in rows(client) if row.ready == "True"}
                return set(expected) <= found

            well = wait_until(ready, _RATES_WITHIN_S)
            _print_table(rows(client))
        if not well:
            logs = f"`{command_line(self._state)} logs`"
            raise LocalClusterError(f"not every rate is Ready after {_RATES_WITHIN_S:.0f} s; see {logs} for the cause")
        self._print_next()
        return 0

    def _print_next(self) -> None:
        me = command_line(self._state)
        print(f"\n{emphasised('Try next:', BOLD, sys.stdout)}")
        print(f"  export KUBECONFIG=$({me} kubeconfig)")
        if shutil.which("kubectl") is None:
            print("  (then any Kubernetes client; kubectl is not on PATH: https://kubernetes.io/docs/tasks/tools/)")
        print("  kubectl get exchangerates")
        print("  kubectl get configmap exchange-rate-usd --output yaml")
        print(f"  {me} status | logs | down")


def _print_table(found: list[Row]) -> None:
    """Print the table of rates: its head stands out, and so does what is said of a rate that is not ready."""
    head, *lines = table(found).splitlines()
    print(f"\n{emphasised(head, BOLD, sys.stdout)}")
    for line in lines:
        print(emphasised(line, YELLOW, sys.stdout) if line.startswith(" ") else line)
