"""`pocketrec dashboard`: one HTML file about a run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.cli.common import add_workspace, quiet_tensorflow


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "dashboard",
        help="write one HTML file about a run: data, training, metrics, gate, registry",
        description=(
            "Writes one HTML file about a run that opens offline: data and anomalies, training "
            "curves, metrics by slice, every threshold of the gate, and what was pushed."
        ),
    )
    parser.add_argument("--run", metavar="ID", help="the run's id (default: the latest run)")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the file to write (default: dashboards/RUN.html in the workspace)",
    )
    add_workspace(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Writes the file and prints its path."""
    from pipeline.dashboard.collect import collect
    from pipeline.dashboard.evaluation import read_evaluation
    from pipeline.dashboard.render import render
    from pipeline.errors import PocketRecError
    from pipeline.lineage import Lineage
    from pipeline.text_file import write_text
    from pipeline.workspace import Workspace

    quiet_tensorflow()
    workspace = Workspace.at(args.workspace)
    run = Lineage(workspace.metadata_db).read(args.run)
    page = render(collect(run, workspace, read_evaluation))
    path = args.output or workspace.dashboards / f"{run.run_id}.html"
    try:
        write_text(path, page)
    except OSError as error:
        raise PocketRecError(f"--output {path}: cannot be written ({error.strerror})") from None
    print(path)
    return 0
