"""`pocketrec completion`: a script that teaches a shell this command line."""

from __future__ import annotations

import argparse
from typing import Any

_SHELLS = ("bash", "zsh", "tcsh")
_RUN = "run"
"""Where a command keeps a run's id: the option `--run` means the same everywhere."""

DESCRIPTION = """\
Prints a script that completes commands, options, data sets, studies, models and run ids.
"""
EPILOG = """\
install it, with pocketrec on the PATH (or give the path of .venv/bin/pocketrec):
  bash   pocketrec completion bash > ~/.local/share/bash-completion/completions/pocketrec
  zsh    pocketrec completion zsh > DIR/_pocketrec      where DIR is in $fpath, before compinit
  tcsh   pocketrec completion tcsh > ~/.pocketrec.tcsh; then `source ~/.pocketrec.tcsh` in ~/.tcshrc
for this shell alone:
  eval "$(pocketrec completion bash)"
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "completion",
        help="print a script that completes commands in bash, zsh or tcsh",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=_SHELLS, help="the shell to write for")
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Prints the script."""
    import shtab

    from pipeline.cli import choices
    from pipeline.cli.main import build_parser
    from pipeline.cli.parser import leaves

    parser = build_parser()
    for command in leaves(parser):
        for action in command._actions:
            if action.dest == _RUN:
                choices.of_runs(action)
    # One text for each shell, as shtab's documentation has it and its annotation has not.
    functions: Any = choices.preamble()
    print(shtab.complete(parser, args.shell, preamble=functions))
    return 0
