"""Entry point of `pocketrec`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from pipeline.cli import compile as compile_command
from pipeline.cli import (
    completion,
    dashboard,
    data,
    demo,
    doctor,
    evaluate,
    recommend,
    registry,
    run,
    slim,
    submit,
    sweep,
)
from pipeline.cli.parser import MainParser, Parser, finish

EXIT_UNEXPECTED = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

GROUPS = {
    "run": {"run": run, "sweep": sweep, "doctor": doctor},
    "look": {
        "data": data,
        "recommend": recommend,
        "evaluate": evaluate,
        "dashboard": dashboard,
        "demo": demo,
    },
    "registry": {"registry": registry, "slim": slim},
    "deploy": {"compile": compile_command, "submit": submit},
    "shell": {"completion": completion},
}
"""The commands, by the heading under which the help lists them."""

EPILOG = """\
examples:
  pocketrec run                                  the whole pipeline on generated data
  pocketrec recommend "Toy Story (1995)"         what the champion recommends after it
  pocketrec COMMAND --help                       more examples, all options
"""


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser with every command."""
    parser = MainParser(
        {heading: list(commands) for heading, commands in GROUPS.items()},
        prog="pocketrec",
        usage="pocketrec COMMAND ...",
        description="Recommendation on the device: MovieLens in, a gated quantized model out.",
        epilog=EPILOG,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
            prog, max_help_position=28
        ),
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", prog="pocketrec", parser_class=Parser
    )
    for commands in GROUPS.values():
        for command in commands.values():
            command.add_parser(subparsers)
    finish(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    try:
        try:
            return _main(list(sys.argv[1:] if argv is None else argv))
        finally:
            # Here, where a reader that is gone can still be noticed.
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader has what it wanted, as after `| head`; nothing more can be written, and
        # Python would complain of that at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


def _main(arguments: list[str]) -> int:
    parser = build_parser()
    if not arguments:
        parser.print_help()
        return 0
    args = parser.parse_args(arguments)
    if args.command is None:
        parser.error("the following arguments are required: COMMAND")
    args.arguments = arguments
    return _run(args)


def _run(args: argparse.Namespace) -> int:
    try:
        if hasattr(args, "workspace"):
            from pipeline.cli.failures import check_workspace

            check_workspace(args.workspace.expanduser())
        status: int = args.handler(args)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        print(_interrupted(args), file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        return _failed(args, error)
    return status


def _interrupted(args: argparse.Namespace) -> str:
    if not getattr(args, "resumes", False):
        return "\npocketrec: interrupted"
    from pipeline.cli.invocation import command

    return f"\npocketrec: interrupted; to go on: {command(args.arguments)}"


def _failed(args: argparse.Namespace, error: Exception) -> int:
    from pipeline.cli.failures import unexpected_message, user_message
    from pipeline.workspace import DEFAULT_WORKSPACE

    if args.debug:
        import traceback

        traceback.print_exception(type(error), error, error.__traceback__)
    message = user_message(error)
    if message is not None:
        print(f"pocketrec: {message}", file=sys.stderr)
        return EXIT_USER_ERROR
    logs = getattr(args, "workspace", DEFAULT_WORKSPACE) / "logs"
    print(f"pocketrec: {unexpected_message(error, logs)}", file=sys.stderr)
    return EXIT_UNEXPECTED


class _Version(argparse.Action):
    """Says the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"pocketrec {version('pocketrec')}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
