"""Where commands print what has colours or is a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_NO_TERMINALS_WIDTH = 1000


def console() -> Console:
    """Returns standard output; where it is no terminal, lines are never cut or coloured."""
    import sys

    from rich.console import Console

    from pipeline.progress.screens import is_terminal

    if is_terminal(sys.stdout):
        return Console(highlight=False)
    return Console(highlight=False, width=_NO_TERMINALS_WIDTH, color_system=None, no_color=True)
