"""`pocketrec sweep`: a grid or random search over settings, resumable, one table at the end."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.cli import choices
from pipeline.cli.common import add_workspace

EXIT_ALL_FAILED = 1

DESCRIPTION = """\
Trains a model for each trial of a study and reports what each is worth: recall@10 and NDCG@10 on
eval (on test too where the study says so), the int8 file's recall, bytes and milliseconds a call.

The command may be stopped at any time (Ctrl-C, or a kill) and given again: trials that are over
are not repeated, and a training goes on from its last checkpoint. A trial whose process was killed
is tried once more. A trial that fails is recorded with the end of its log, and the study goes on.

Everything is in WORKSPACE/sweeps/NAME: results.json (written after every trial), results.md and
results.svg, optuna.db, and a folder with the log of each training. Each training is also a run of
the MLflow experiment NAME. Changed code is not noticed: delete that folder to start over. A study
whose cases, parameters, seeds or base changed starts over by itself.
"""
EPILOG = """\
examples:
  pocketrec sweep smoke                                  a minute or two, on generated data
  pocketrec sweep history_length --data-dir ~/movielens  encoders by history length, on ML-1M
  pocketrec sweep my_study.yaml --trials 20 --jobs 2
  pocketrec sweep history_length --render --output benchmarks/results/sweep_history_length.json

exit status: 0 the study is over; 1 all its trials failed; 2 bad input; 130 interrupted.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "sweep",
        help="search over settings: many trainings, one table",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    study = parser.add_argument(
        "study",
        metavar="STUDY",
        help="a study's file, or the name of one in pipeline/configs/sweeps",
    )
    choices.of_studies(study)
    parser.add_argument(
        "--trials", type=_positive, metavar="N", help="trials in all (default: the study's)"
    )
    parser.add_argument(
        "--jobs", type=_positive, default=1, metavar="N", help="trainings at one time (default: 1)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="override one setting that all trials share; may be given again",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="folder with MovieLens releases by name (default: $POCKETREC_DATA)",
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="run the trials again that failed"
    )
    parser.add_argument(
        "--render", action="store_true", help="train nothing, render the results there are"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="also write the results there, as JSON without what means something here alone",
    )
    add_workspace(parser)
    parser.set_defaults(handler=handler, resumes=True)


def handler(args: argparse.Namespace) -> int:
    """Runs the study and prints its table."""
    from pipeline.config.sweep import base_tree, load_sweep
    from pipeline.errors import ConfigError
    from pipeline.sweep import results, space
    from pipeline.sweep.places import Places
    from pipeline.sweep.render import markdown, write_rendered
    from pipeline.workspace import Workspace

    path = study_file(args.study)
    study = load_sweep(path)
    if args.trials is not None:
        study = study.model_copy(update={"trials": args.trials})
    base = base_tree(study, path.parent, args.overrides)
    space.check(study, base)
    workspace = Workspace.at(args.workspace)
    places = Places.of(workspace, study.name, space.definition(study, base))
    if args.render:
        if not places.results.is_file():
            raise ConfigError(f"{places.results}: there are no results yet; leave out --render")
        content = results.read(places.results)
    else:
        content = _run(args, study, base, workspace, places)
    files = write_rendered(content, places.root, places.results.stem)
    if args.output is not None:
        results.write(args.output, results.published(content))
        files.append(args.output)
    print(f"\n{markdown(content)}")
    for file in (places.results, *files):
        print(file)
    failed = [trial["state"] == "failed" for trial in content["trials"]]
    return EXIT_ALL_FAILED if failed and all(failed) else 0


def study_file(name: str) -> Path:
    """Returns the file that a user names: a path, or a study that ships with the project.

    Raises:
        ConfigError: There is neither.
    """
    from pipeline.config.root import CONFIGS_DIR
    from pipeline.errors import ConfigError

    shipped = CONFIGS_DIR / "sweeps"
    for path in (Path(name).expanduser(), shipped / f"{name}.yaml"):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in shipped.glob("*.yaml")))
    raise ConfigError(f"{name!r} is neither a file nor one of the studies {known}")


def _run(args: argparse.Namespace, study: Any, base: Any, workspace: Any, places: Any) -> Any:
    import os

    from pipeline.datasets.resolve import DATA_VARIABLE, resolve_dataset
    from pipeline.errors import ConfigError
    from pipeline.sweep import space
    from pipeline.sweep.run import open_sweep

    environment = dict(os.environ)
    if args.data_dir is not None:
        environment[DATA_VARIABLE] = str(args.data_dir)
    config = space.trial_config(base, {}, study.name)
    if config.training.warm_start is not None:
        raise ConfigError("training.warm_start: a sweep trains every model anew; set it to null")
    data = resolve_dataset(config.dataset, workspace, config.sample, environment=environment)
    with open_sweep(
        study, {**base, "dataset": str(data)}, workspace, places, jobs=args.jobs
    ) as sweep:
        if args.retry_failed:
            sweep.retry_failed()
        return sweep.run()


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)
