"""`pocketrec run`: a MovieLens release in, a gated quantized model in the registry out."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.cli import choices
from pipeline.cli.common import add_overlay, add_workspace, quiet_tensorflow

if TYPE_CHECKING:
    from pipeline.config.root import Config
    from pipeline.local_runner import RunOutcome
    from pipeline.summary import Summary

EXIT_FAILED = 1
EXIT_NOT_PUSHED = 3

DESCRIPTION = """\
Runs the pipeline on this machine: ingest, validate, transform, train, convert, evaluate, gate,
register. Steps whose inputs, settings and code did not change are taken from the cache; a run that
was interrupted is taken up again by the same command.
"""
EPILOG = """\
examples:
  pocketrec run                                        generated data, about a minute
  pocketrec run --dataset ml-1m                        downloads MovieLens 1M
  pocketrec run --dataset ~/ml-25m.zip --set model.encoder.name=lstm
  pocketrec run --json | jq -r 'select(.event == "epoch") | .recall_at_10'

exit status: 0 registered; 1 a step failed; 2 bad input; 3 the gate did not bless the model;
130 interrupted by Ctrl-C; 143 by SIGTERM.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "run",
        help="run the pipeline: from a release to a registered model",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    choices.of_datasets(
        parser.add_argument(
            "--dataset",
            metavar="NAME|PATH",
            help=f"{choices.DATASETS_TEXT}, or a folder or zip in one of their formats "
            "(default: the configuration's, else sample)",
        )
    )
    choices.of_yaml_files(
        parser.add_argument(
            "--config",
            type=Path,
            metavar="FILE",
            help="settings (default: pipeline/configs/NAME.yaml where there is one, else "
            "release.yaml)",
        )
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
    parser.add_argument(
        "--json", action="store_true", help="print what happens, one JSON object a line"
    )
    add_workspace(parser)
    parser.set_defaults(handler=handler, resumes=True)


def handler(args: argparse.Namespace) -> int:
    """Runs the pipeline and prints what came of it."""
    from pipeline.cli.invocation import command
    from pipeline.config.select import load_selected
    from pipeline.workspace import Workspace

    # Before the heavy imports: what is wrong with the settings is said at once.
    config = load_selected(args.config, args.dataset, args.overrides, args.overlays)
    workspace = Workspace.at(args.workspace)

    from pipeline.local_runner import run_locally
    from pipeline.progress.screens import screen_for
    from pipeline.summary import render, summarize, write_record

    again = command(args.arguments)
    outcome = run_locally(
        config,
        workspace,
        make_screen=screen_for(as_json=args.json),
        last_words=f"interrupted; to go on: {again}",
    )
    if outcome.reached.stages:
        write_record(workspace, config, outcome)
    if outcome.exit_status is not None:
        _tell_interrupted(outcome, config, again, as_json=args.json)
        _end(outcome.exit_status)
    if outcome.failed_step is not None:
        _tell_failed(outcome, as_json=args.json)
        return EXIT_FAILED
    quiet_tensorflow()
    summary = summarize(workspace, config, outcome)
    if args.json:
        _write(_described(summary))
    else:
        print(render(summary))
    return 0 if summary.registered else EXIT_NOT_PUSHED


def _end(status: int) -> NoReturn:
    """Ends the process without taking TensorFlow apart, which takes seconds."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _tell_failed(outcome: RunOutcome, *, as_json: bool) -> None:
    if as_json:
        _write(
            {
                "event": "run_failed",
                "run_id": outcome.run_id,
                "stage": outcome.failed_step,
                "error": outcome.error,
                "log": str(outcome.log_file),
            }
        )
        print(f"pocketrec: failed at {outcome.failed_step}: {outcome.error}", file=sys.stderr)
    else:
        print(f"\nFAILED at {outcome.failed_step}: {outcome.error}")
        print(f"log: {outcome.log_file}")


def _tell_interrupted(outcome: RunOutcome, config: Config, again: str, *, as_json: bool) -> None:
    lines = interruption_lines(outcome, again, cache=config.runtime.cache)
    if as_json:
        reached = outcome.reached
        _write(
            {
                "event": "run_interrupted",
                "run_id": outcome.run_id,
                "stage": outcome.failed_step,
                "finished": list(reached.over),
                "epoch": reached.epoch,
                "resume": again,
            }
        )
    print("\n".join(lines), file=sys.stderr if as_json else sys.stdout)


def interruption_lines(outcome: RunOutcome, again: str, *, cache: bool) -> list[str]:
    """Returns what to tell of an interrupted run: what is kept, and how to go on.

    Args:
        outcome: What the run came to.
        again: The command line.
        cache: Whether finished steps will be taken from the cache.
    """
    reached = outcome.reached
    lines = ["", f"INTERRUPTED at {outcome.failed_step} after {outcome.seconds:.0f} s"]
    if reached.over and cache:
        lines.append(
            f"kept: {len(reached.over)} of {reached.stages} steps, which come from the cache"
        )
    elif reached.stages:
        lines.append("kept: no step, as " + ("none was over" if cache else "runtime.cache is off"))
    if reached.epoch:
        of = f" ({reached.whose.rstrip(': ')})" if reached.whose else ""
        lines.append(f"      training, which goes on after epoch {reached.epoch}{of}")
    return [*lines, f"log:  {outcome.log_file}", f"to go on: {again}"]


def _described(summary: Summary) -> dict[str, Any]:
    import dataclasses
    import math

    # JSON has no word for what is not a number.
    metrics = {name: None if math.isnan(v) else v for name, v in summary.metrics.items()}
    told = {**dataclasses.asdict(summary), "metrics": metrics}
    return {"event": "summary", **told, "registered": summary.registered}


def _write(tree: dict[str, Any]) -> None:
    from pipeline.progress.lines import JsonScreen

    JsonScreen(sys.stdout).write(tree)
