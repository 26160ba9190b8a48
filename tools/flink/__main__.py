"""`python -m tools.flink start|stop|status`: a Flink cluster on this machine."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import PocketRecError
from tools.flink.cluster import DEFAULT_FOLDER, Cluster, Status
from tools.flink.settings import Settings

EXIT_NOT_RUNNING = 1
EXIT_USER_ERROR = 2

_PORTS = ("rest_port", "rpc_port", "job_port", "workers_port")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    arguments = _parser().parse_args(argv)
    folder: Path = arguments.folder
    cluster = Cluster(folder / "cluster", folder / "packages", lambda text: print(text, flush=True))
    try:
        if arguments.command == "start":
            cluster.start(_settings(arguments))
        elif arguments.command == "stop":
            stopped = cluster.stop()
            print(f"stopped {', '.join(stopped)}" if stopped else "nothing runs")
            return 0
        status = cluster.status()
    except PocketRecError as error:
        print(f"tools.flink: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    print(describe(status))
    return 0 if status.whole else EXIT_NOT_RUNNING


def describe(status: Status) -> str:
    """Returns what a user wants to know: what runs, where, and how to run on it."""
    if status.settings is None:
        return "not started"
    lines = [
        f"{name:<16} {'process ' + str(status.process_ids[name]) if runs else 'NOT RUNNING'}"
        for name in status.expected
        for runs in (name in status.process_ids,)
    ]
    if status.whole:
        lines += [
            f"dashboard        {status.settings.rest_address} ({status.slots} slots)",
            f"Beam's options   {' '.join(status.settings.beam_args())}",
        ]
    return "\n".join(lines)


def _settings(arguments: argparse.Namespace) -> Settings:
    given = {
        field.name: getattr(arguments, field.name)
        for field in dataclasses.fields(Settings)
        if hasattr(arguments, field.name)
    }
    defaults = Settings()
    ports = {name: getattr(defaults, name) + arguments.port_offset for name in _PORTS}
    return Settings(**given, **ports)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.flink",
        description="A Flink cluster with Beam's job server and Python workers on this machine.",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=DEFAULT_FOLDER,
        help="packages, configuration and logs (default: .flink in the checkout)",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    start = commands.add_parser(
        "start",
        help="fetch what is missing, start what does not run",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    defaults = Settings()
    for name, text in (
        ("task_managers", "processes that work is spread over"),
        ("slots", "tasks that one of them runs side by side"),
        ("task_heap_mib", "Java heap for tasks, a task manager"),
        ("network_mib", "buffers for shuffles, a task manager"),
        ("managed_mib", "memory for sorting, a task manager"),
        ("workers_mib", "buffers towards the Python workers, a task manager"),
    ):
        start.add_argument(
            f"--{name.replace('_', '-')}",
            type=_positive,
            default=getattr(defaults, name),
            metavar="N",
            help=text,
        )
    start.add_argument(
        "--port-offset", type=int, default=0, metavar="N", help="added to every port"
    )
    commands.add_parser("stop", help="end the cluster's processes, and no others")
    commands.add_parser("status", help="what runs")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
