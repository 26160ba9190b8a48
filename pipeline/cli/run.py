"""`pocketrec run`: a MovieLens release in, a gated quantized model in the registry out."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.common import add_overlay, add_workspace, quiet_tensorflow

EXIT_FAILED = 1
EXIT_NOT_PUSHED = 3

DESCRIPTION = """\
Runs the pipeline on this machine: ingest, validate, transform, train, convert, evaluate, gate,
register. Steps whose inputs, settings and code did not change are taken from the cache; a run that
was killed is taken up again by running the same command.

exit status: 0 registered; 1 a step failed; 2 bad input; 3 the gate did not bless the model.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "run",
        help="run the pipeline on this machine",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--dataset",
        metavar="NAME|PATH",
        help="sample, ml-100k, ml-1m, ml-10m, ml-20m, ml-25m, ml-32m, ml-latest-small, ml-latest, "
        "or a folder or zip in one of their formats (default: the configuration's, else sample)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings (default: pipeline/configs/NAME.yaml where there is one, else release.yaml)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="override one setting, e.g. --set model.encoder.name=cnn; may be given again",
    )
    add_overlay(parser)
    add_workspace(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Runs the pipeline and prints what came of it."""
    from pipeline.config.select import load_selected
    from pipeline.workspace import Workspace

    # Before the heavy imports: what is wrong with the settings is said at once.
    config = load_selected(args.config, args.dataset, args.overrides, args.overlays)
    workspace = Workspace.at(args.workspace)

    from pipeline.local_runner import run_locally
    from pipeline.summary import render, summarize, write_record

    outcome = run_locally(config, workspace)
    write_record(workspace, config, outcome)
    if outcome.failed_step is not None:
        print(f"\nFAILED at {outcome.failed_step}: {outcome.error}")
        print(f"log: {outcome.log_file}")
        return EXIT_FAILED
    quiet_tensorflow()
    summary = summarize(workspace, config, outcome)
    print(render(summary))
    return 0 if summary.registered else EXIT_NOT_PUSHED
