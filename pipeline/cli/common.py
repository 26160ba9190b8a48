"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

DEFAULT_WORKSPACE = Path("workspace")


def add_workspace(parser: argparse.ArgumentParser) -> None:
    """Adds `--workspace`, the folder that holds all state."""
    parser.add_argument(
        "--workspace",
        type=Path,
        default=DEFAULT_WORKSPACE,
        metavar="DIR",
        help="folder that holds all state of the runs (default: ./workspace)",
    )
