"""`pocketrec doctor`: what is in the way of a run."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING

from pipeline.cli.common import add_workspace

if TYPE_CHECKING:
    from pipeline.doctor.check import Check

EXIT_PROBLEM = 1
_STYLES = {"ok": "green", "warning": "bold magenta", "problem": "bold red"}

EPILOG = """\
exit status: 0 nothing is in the way of a run; 1 something is.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="check this machine, the installed packages and the workspace",
        description=(
            "Checks this machine, the installed packages and the workspace, and says what to do "
            "about what is wrong. Changes nothing."
        ),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_workspace(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Makes the checks and prints what they found."""
    from pipeline.doctor import packages, place, programs, system
    from pipeline.doctor.check import PROBLEM
    from pipeline.workspace import Workspace

    checks = [
        *system.checks(),
        *packages.checks(),
        *place.checks(Workspace.at(args.workspace)),
        *programs.checks(),
    ]
    if args.json:
        print(json.dumps([dataclasses.asdict(check) for check in checks], indent=2))
    else:
        _print(checks)
    return EXIT_PROBLEM if any(check.state == PROBLEM for check in checks) else 0


def _print(checks: list[Check]) -> None:
    from rich.text import Text

    from pipeline.cli.output import console

    screen = console()
    width = max(len(check.name) for check in checks)
    for check in checks:
        line = Text.assemble(
            (f"{check.state:<8}", _STYLES[check.state]), f" {check.name:<{width}}  ", check.found
        )
        screen.print(line, soft_wrap=True)
        if check.way_out:
            screen.print(f"{'':<{8 + 1 + width}}  {check.way_out}", soft_wrap=True)
    counts = {state: sum(check.state == state for check in checks) for state in _STYLES}
    screen.print(f"\n{counts['ok']} ok, {counts['warning']} warnings, {counts['problem']} problems")
