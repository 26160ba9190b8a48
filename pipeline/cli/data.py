"""`pocketrec data`: look into, download, generate and split data sets."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pipeline.cli import choices, common

_NAMES = choices.DATASETS_TEXT
EPILOG = """\
examples:
  pocketrec data inspect ml-1m --json
  pocketrec data download ml-25m
  pocketrec data generate /tmp/toy --users 100 --movies 300 --ratings 5000
  pocketrec data split ml-1m /tmp/spans --shares 0.8,0.1,0.1
"""
_FORMATS = ("ml-latest", "ml-10m", "ml-1m", "ml-100k")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `data` with its actions."""
    parser = subparsers.add_parser(
        "data",
        help="inspect, download, generate or split a data set",
        description="Inspect, download, generate or split a data set in one of MovieLens' formats.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_inspect(actions)
    _add_download(actions)
    _add_generate(actions)
    _add_split(actions)


def _add_inspect(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "inspect",
        help="format, counts, time range, timeline lengths, anomalies",
        description="Print a data set's format, counts, time range, timeline lengths, anomalies.",
    )
    dataset = parser.add_argument(
        "dataset",
        metavar="PATH|NAME",
        help=f"folder or zip of a MovieLens release, or a name: {_NAMES}",
    )
    choices.of_datasets(dataset)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    common.add_workspace(parser)
    parser.set_defaults(handler=inspect)


def _add_download(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "download",
        help="fetch an official release from GroupLens",
        description=(
            "Fetch an official release from GroupLens into the workspace: resumes an interrupted "
            "download, checks the MD5 sum, extracts. Prints the folder."
        ),
        epilog="GroupLens' terms of use come with each release, in its README.",
    )
    name = parser.add_argument(
        "name", metavar="NAME", help=f"one of {_NAMES.removeprefix('sample, ')}"
    )
    choices.of_datasets(name)
    common.add_workspace(parser)
    parser.set_defaults(handler=download, resumes=True)


def _add_generate(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "generate",
        help="make a data set of any size with a learnable order",
        description=(
            "Make a data set with a learnable order, the same for the same arguments. The defaults "
            "are those of the data set 'sample'. Memory does not grow with the ratings."
        ),
        epilog="25 million: --users 162541 --movies 62423 --ratings 25000000",
    )
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="folder to make; one that was generated before is replaced, any other is kept",
    )
    parser.add_argument("--users", type=int, metavar="N", help="default: 600")
    parser.add_argument("--movies", type=int, metavar="N", help="default: 2000")
    parser.add_argument("--ratings", type=int, metavar="N", help="default: 60000")
    parser.add_argument("--seed", type=int, metavar="N", help="default: 7")
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default=_FORMATS[0],
        help="release whose file layout is taken (default: %(default)s, that is CSV)",
    )
    common.add_workspace(parser)
    parser.set_defaults(handler=generate)


def _add_split(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "split",
        help="cut a release by time into spans, as if it had come in bit by bit",
        description=(
            "Cut a release by time into spans, DIR/ratings-1, DIR/ratings-2 and so on, in its own "
            "format. Prints the pattern that stands for them."
        ),
    )
    dataset = parser.add_argument(
        "dataset",
        metavar="PATH|NAME",
        help=f"folder or zip of a MovieLens release, or a name: {_NAMES}",
    )
    choices.of_datasets(dataset)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder to make")
    parser.add_argument(
        "--shares",
        type=_shares,
        default=(0.7, 0.1, 0.1, 0.1),
        metavar="A,B,...",
        help="of the ratings, oldest first (default: 0.7,0.1,0.1,0.1)",
    )
    common.add_workspace(parser)
    parser.set_defaults(handler=split)


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers, as 0.7,0.2,0.1: {text!r}") from None


def inspect(args: argparse.Namespace) -> int:
    """Prints a report on a data set."""
    from pipeline.datasets.inspect import inspect_release
    from pipeline.datasets.resolve import resolve_dataset
    from pipeline.workspace import Workspace

    report = inspect_release(resolve_dataset(args.dataset, Workspace.at(args.workspace)))
    print(json.dumps(report.to_json(), indent=2) if args.json else report.to_text())
    return 0


def download(args: argparse.Namespace) -> int:
    """Fetches a release and prints its folder."""
    from pipeline.datasets.releases import RELEASES
    from pipeline.datasets.resolve import fetch_release
    from pipeline.errors import DataError
    from pipeline.workspace import Workspace

    if args.name not in RELEASES:
        raise DataError(
            f"{args.name!r} is not a release that can be downloaded; known are "
            f"{', '.join(RELEASES)}"
        )
    print(fetch_release(RELEASES[args.name], Workspace.at(args.workspace)))
    return 0


def generate(args: argparse.Namespace) -> int:
    """Makes a data set and prints its folder and size."""
    from pipeline.config.root import GeneratorConfig
    from pipeline.datasets import generator

    defaults = GeneratorConfig()
    folder = generator.generate(
        args.folder.expanduser().resolve(),
        users=defaults.users if args.users is None else args.users,
        movies=defaults.movies if args.movies is None else args.movies,
        ratings=defaults.ratings if args.ratings is None else args.ratings,
        seed=defaults.seed if args.seed is None else args.seed,
        release_format=args.format,
    )
    parameters = json.loads((folder / generator.PARAMETERS_FILE).read_text(encoding="utf-8"))
    print(folder)
    print(
        f"{parameters['ratings']:,} ratings by {parameters['users']:,} users, "
        f"{parameters['movies']:,} movies, seed {parameters['seed']}; "
        f"{sum(parameters['bytes'].values()) / 1e6:,.1f} MB",
        file=sys.stderr,
    )
    return 0


def split(args: argparse.Namespace) -> int:
    """Makes spans of a release and prints their pattern."""
    from pipeline.datasets.resolve import resolve_dataset
    from pipeline.datasets.split import NAME, split_by_time
    from pipeline.workspace import Workspace

    release = resolve_dataset(args.dataset, Workspace.at(args.workspace))
    counts = split_by_time(release, args.folder, args.shares)
    print(f"{args.folder}/{NAME}-{{SPAN}}")
    told = ", ".join(f"{NAME}-{number}: {count:,}" for number, count in enumerate(counts, 1))
    print(f"ratings of {told}", file=sys.stderr)
    return 0
