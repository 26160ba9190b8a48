"""`pocketrec dashboard`: one HTML file about a run, or about all of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.cli.common import add_workspace, open_in_browser, quiet_tensorflow


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "dashboard",
        help="write one HTML file about a run, or all: data, training, slices, gate, registry",
        description=(
            "Writes one HTML file that opens offline: data and anomalies, training curves, "
            "metrics by slice with intervals, every threshold of the gate, the champion and "
            "popularity beside it, variants, the history over runs, and the lineage of artifacts."
        ),
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--run", metavar="ID", help="the run's id (default: the latest run)")
    chosen.add_argument("--all", action="store_true", help="one page about all runs")
    parser.add_argument("--open", action="store_true", help="open it in the default browser")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the file to write (default: dashboards/RUN.html or all.html in the workspace)",
    )
    add_workspace(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Writes the file, prints its path, and opens it where asked."""
    from pipeline.dashboard.evaluation import read_evaluation
    from pipeline.dashboard.history import read_history
    from pipeline.dashboard.render import all_page, run_page
    from pipeline.errors import PocketRecError
    from pipeline.lineage import Lineage
    from pipeline.text_file import write_text
    from pipeline.workspace import Workspace

    quiet_tensorflow()
    workspace = Workspace.at(args.workspace)
    lineage = Lineage(workspace.metadata_db)
    run_id = lineage.find(args.run)
    history = read_history(lineage, workspace, read_evaluation)
    page = all_page(history, workspace.root.name) if args.all else run_page(run_id, history)
    name = "all" if args.all else run_id
    path = (args.output or workspace.dashboards / f"{name}.html").resolve()
    try:
        write_text(path, page)
    except OSError as error:
        raise PocketRecError(f"--output {path}: cannot be written ({error.strerror})") from None
    print(path)
    if args.open:
        open_in_browser(path.as_uri())
    return 0
