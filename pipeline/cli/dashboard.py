"""`pocketrec dashboard`: one HTML file about a run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.cli.common import add_workspace


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

    _silence_tensorflow()
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


def _silence_tensorflow() -> None:
    """Keeps TensorFlow's start-up chatter off the screen; errors are raised, not logged."""
    import logging
    import os
    import warnings

    # Native code reads this once, when TensorFlow is imported: 3 leaves fatal messages alone.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
