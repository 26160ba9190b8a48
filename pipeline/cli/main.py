"""Entry point of `pocketrec`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pipeline.cli import compile as compile_command
from pipeline.cli import dashboard, data, demo, evaluate, recommend, registry, run, submit, sweep
from pipeline.errors import PocketRecError

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser with every command."""
    parser = argparse.ArgumentParser(
        prog="pocketrec",
        description="Recommendation on the device: MovieLens in, a gated quantized model out.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=28),
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands = (
        run,
        sweep,
        data,
        registry,
        recommend,
        evaluate,
        dashboard,
        demo,
        compile_command,
        submit,
    )
    for command in commands:
        command.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    args = build_parser().parse_args(argv)
    try:
        status: int = args.handler(args)
    except PocketRecError as error:
        print(f"pocketrec: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("pocketrec: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    return status


if __name__ == "__main__":
    sys.exit(main())
