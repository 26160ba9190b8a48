"""`pocketrec evaluate`: a second opinion on a bundle, through the device runtime alone."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pipeline.cli import choices
from pipeline.cli.common import give_up_soon, started
from pipeline.cli.registry import add_registry_options
from pipeline.cli.variant_choice import VariantChoice, add_variant_options

if TYPE_CHECKING:
    from pocketrec_device import Bundle
    from pocketrec_device.evaluation import Estimate

EPILOG = """\
examples:
  pocketrec evaluate champion --data ml-1m
  pocketrec evaluate path/to/bundle --data path/to/release --variant float32 --json
"""
_INTERVALS = "95% intervals: Wilson's score for recall, normal approximation for the others"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    parser = subparsers.add_parser(
        "evaluate",
        help="evaluate a model on a release, through the device runtime",
        description=(
            "Leave-last-out evaluation: each user's last movie is to be found among the whole "
            "catalogue without the movies that the user has seen. Shares no code with the gate."
        ),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    model = parser.add_argument(
        "model",
        nargs="?",
        default="champion",
        metavar="MODEL_OR_BUNDLE",
        help="alias or version of the registry, or a bundle's folder (default: champion)",
    )
    choices.of_models(model)
    data = parser.add_argument(
        "--data",
        required=True,
        metavar="NAME|PATH",
        help="a release's name, or the path of its folder or zip",
    )
    choices.of_datasets(data)
    add_variant_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_registry_options(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Runs the command."""
    from pipeline.errors import RegistryError
    from pipeline.registry.registry import resolve_bundle
    from pipeline.workspace import Workspace
    from pocketrec_device import DeviceError

    give_up_soon()
    workspace = Workspace.at(args.workspace)
    path = resolve_bundle(args.model, workspace, args.tracking_uri, args.model_name)
    try:
        report = evaluate(str(path), args.data, workspace, VariantChoice.of(args))
    except DeviceError as error:
        raise RegistryError(str(error)) from None
    print(json.dumps(report, indent=2) if args.json else _text(report))
    return 0


def evaluate(bundle_path: str, data: str, workspace: Any, choice: VariantChoice) -> dict[str, Any]:
    """Evaluates a bundle on a release.

    Args:
        bundle_path: The bundle's folder.
        data: Name or path of the release.
        workspace: A `Workspace`, where named releases are kept.
        choice: Which variant of the model.

    Returns:
        Counts, and under `metrics` each value with the ends of its interval.

    Raises:
        DeviceError: The bundle or the data gives nothing to evaluate.
        DataError: The release cannot be found or read.
    """
    from components.movielens_example_gen.timelines import load_timelines
    from pipeline.config.data import MalformedConfig
    from pipeline.config.root import GeneratorConfig
    from pipeline.datasets.resolve import resolve_dataset
    from pipeline.progress.bar import bar
    from pocketrec_device import Bundle
    from pocketrec_device.evaluation import MISS, leave_last_out, summarize, target_ranks

    bundle = Bundle.load(bundle_path)
    recommender = started(bundle, choice)
    prepared = bundle.manifest.data
    release = resolve_dataset(data, workspace, GeneratorConfig(**prepared["generator"]))
    timelines = load_timelines(
        release,
        min_ratings_per_movie=prepared["min_ratings_per_movie"],
        min_ratings_per_user=prepared["min_ratings_per_user"],
        malformed=MalformedConfig(**prepared["malformed"]),
    )
    cases = leave_last_out(
        recommender,
        timelines.offsets,
        timelines.movie_ids,
        timelines.ratings,
        timelines.timestamps,
        _attributes(str(release), timelines.user_ids),
    )
    rows = len(cases.targets)
    with bar("evaluating", rows, "users") as advance:
        ranks = target_ranks(recommender, cases, progress=advance)
    return {
        "bundle": bundle_path,
        "bundle_id": bundle.manifest.bundle_id,
        "variant": recommender.variant,
        "data": data,
        "users": len(timelines.user_ids),
        "targets": rows,
        "targets_not_in_vocabulary": int((cases.targets == 0).sum()),
        "targets_found": int((ranks != MISS).sum()),
        "intervals": _INTERVALS,
        "notes": _notes(bundle),
        "metrics": {name: _interval(estimate) for name, estimate in summarize(ranks).items()},
    }


def _attributes(release: str, user_ids: Iterable[int]) -> dict[str, Any]:
    """Returns int64 [users] by input name: what a release tells of its users."""
    import numpy as np

    from components.movielens_example_gen.catalogue import User
    from components.movielens_example_gen.log import opened
    from components.movielens_example_gen.spans import select_spans
    from modules.user_attributes import ATTRIBUTES, category_id
    from pipeline.config.spans import SpansConfig

    with opened(select_spans(release, SpansConfig())) as log:
        users = log.users
    nothing = User(None, None, None)
    told = [users.get(int(user_id), nothing) for user_id in user_ids]
    return {
        name: np.array(
            [category_id(name, getattr(user, name.removeprefix("user_"))) for user in told],
            np.int64,
        )
        for name in ATTRIBUTES
    }


def _notes(bundle: Bundle) -> list[str]:
    split = bundle.manifest.data["split"]
    if split == "leave_last_out":
        return []
    return [
        f"the model was trained with the split {split}: on its own data, it may have been "
        "trained on movies that are targets here"
    ]


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _text(report: dict[str, Any]) -> str:
    from tabulate import tabulate

    rows = [
        [name, f"{entry['value']:.4f}", f"{entry['low']:.4f} to {entry['high']:.4f}"]
        for name, entry in report["metrics"].items()
    ]
    table = tabulate(rows, headers=["metric", "value", "95% interval"], disable_numparse=True)
    lines = [
        f"{report['variant']} of bundle {report['bundle_id'][:12]} on {report['data']}: "
        f"{report['targets']} targets, {report['targets_not_in_vocabulary']} of them movies that "
        "the model does not know",
        table,
        report["intervals"],
        *report["notes"],
    ]
    return "\n".join(lines)
