"""A real Kubernetes control plane on this machine, with the operator at work on it."""

import argparse
import signal
import sys
from pathlib import Path

from exchangerates_infra.config_reader import StackConfigError
from localcluster import commands
from localcluster.errors import LocalClusterError
from localcluster.workspace import STATE, command_line


def command_line_parser() -> argparse.ArgumentParser:
    """Give the parser of the command line."""
    parser = argparse.ArgumentParser(prog="localcluster", description=__doc__)
    parser.add_argument(
        "--state",
        type=Path,
        default=STATE,
        metavar="DIRECTORY",
        help=f"where the cluster is kept (default: {STATE.name} of this clone)",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")

    up = command("up", "start what does not run, apply the stack `local`, show the rates")
    up.add_argument(
        "--stand-in", action="store_true", help="take rates from the stand-in even where there is a network"
    )
    up.add_argument("--without-pulumi", action="store_true", help="apply the stack without the Pulumi CLI")
    command("status", "show the components, the operator and the rates; the exit code is 1 where one is not well")
    logs = command("logs", "print the log of one component")
    logs.add_argument(
        "component",
        nargs="?",
        default="operator",
        choices=commands.LOGS,
        metavar="COMPONENT",
        help=f"one of {', '.join(commands.LOGS)} (default: %(default)s)",
    )
    command("kubeconfig", "print the path of the kubeconfig file")
    down = command("down", "stop everything; the data stays for the next `up`")
    down.add_argument("--purge", action="store_true", help="remove the data too")
    return parser


def main() -> int:
    """Run one command; give the exit code."""
    arguments = command_line_parser().parse_args()
    # Told to end by either signal, a build's compiler has to end too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    state = arguments.state.resolve()
    cluster = commands.LocalCluster(state)
    try:
        return _run(cluster, arguments)
    except (LocalClusterError, StackConfigError) as error:
        sys.stderr.write(f"localcluster: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(
            "\nlocalcluster: interrupted; what was done is kept. "
            f"`{command_line(state)} up` goes on from there, `{command_line(state)} down` stops what runs.\n"
        )
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        sys.stderr.write(f"localcluster: {error}; correct that and run the same command again\n")
        return 1


def _run(cluster: commands.LocalCluster, arguments: argparse.Namespace) -> int:
    match arguments.action:
        case "up":
            return cluster.up(stand_in=arguments.stand_in, without_pulumi=arguments.without_pulumi)
        case "status":
            return cluster.status()
        case "logs":
            return cluster.logs(arguments.component)
        case "kubeconfig":
            return cluster.kubeconfig()
        case _:
            return cluster.down(purge_data=arguments.purge)


if __name__ == "__main__":
    sys.exit(main())
