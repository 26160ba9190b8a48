"""`pocketrec recommend`: movies after a history, from a bundle through the device runtime."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pipeline.cli.registry import add_registry_options

if TYPE_CHECKING:
    from pocketrec_device import Bundle, Recommendation

_ID_PREFIX = "id:"
_DEFAULT_MODEL = "champion"
_UNKNOWN = "none"
_A_TIME = "unix seconds or a time such as 2000-12-31T23:59"

_Value = TypeVar("_Value")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    parser = subparsers.add_parser(
        "recommend",
        usage='pocketrec recommend [options] [MODEL_OR_BUNDLE] "TITLE" ["TITLE" ...]',
        help="recommend movies after a history of titles",
        description=(
            "Recommend movies after a history of titles, oldest first, through the device runtime."
        ),
        epilog=(
            'example: pocketrec recommend champion "Toy Story (1995)" "The Matrix (1999)" '
            "--ratings 4.5,none. A model that reads no ratings or times does without."
        ),
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="MODEL_OR_BUNDLE, TITLE",
        help=(
            "the model: an alias or version of the registry, or a bundle's folder (left out: "
            f"{_DEFAULT_MODEL}); then titles, oldest first, the year may be left out, or "
            f"{_ID_PREFIX}NUMBER for a movie id"
        ),
    )
    parser.add_argument(
        "-k", type=int, default=10, metavar="COUNT", help="movies wanted (default: 10)"
    )
    parser.add_argument(
        "--watched",
        action="append",
        default=[],
        metavar="TITLE",
        help="one more movie not to recommend; may be repeated",
    )
    parser.add_argument(
        "--ratings",
        metavar="STARS,...",
        help=f"stars of each title, in order; {_UNKNOWN} where not known",
    )
    parser.add_argument(
        "--times",
        metavar="TIME,...",
        help=f"when each was watched, unix seconds or 2000-12-31T23:59 (UTC); {_UNKNOWN} likewise",
    )
    parser.add_argument(
        "--now", metavar="TIME", help="the moment to recommend for (default: this one)"
    )
    parser.add_argument("--variant", help="variant of the model (default: the gated one)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_registry_options(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Runs the command."""
    from pipeline.errors import RegistryError
    from pocketrec_device import Bundle, DeviceError, Recommender

    path, titles, note = _model_and_titles(args)
    ratings = _listed(args.ratings, "--ratings", "stars such as 4.5", float)
    times = _listed(args.times, "--times", _A_TIME, _seconds)
    now = _parsed(args.now, "--now", _A_TIME, _seconds)
    try:
        bundle = Bundle.load(path)
        recommender = Recommender(bundle, args.variant)
        history = [recommender.find(_movie(word)) for word in titles]
        watched = [recommender.find(_movie(word)) for word in args.watched]
        found = recommender.recommend(
            [movie.movie_id for movie in history],
            k=args.k,
            watched=[movie.movie_id for movie in watched],
            ratings=ratings,
            times=times,
            now=now,
        )
    except DeviceError as error:
        raise RegistryError(f"{error}{note}") from None
    if args.json:
        _print_json(bundle, recommender.variant, [movie.title for movie in history], found)
    else:
        _print_table([movie.title for movie in history], found)
    return 0


def _model_and_titles(args: argparse.Namespace) -> tuple[Path, list[str], str]:
    """Returns the bundle, the titles, and what to add to an error about a title."""
    from pipeline.errors import RegistryError
    from pipeline.registry.registry import is_registry_name, resolve_bundle
    from pipeline.workspace import Workspace

    first, rest = args.words[0], args.words[1:]
    place = (Workspace.at(args.workspace), args.tracking_uri, args.model_name)
    if Path(first).is_dir() and not is_registry_name(first):
        return resolve_bundle(first, *place), _required(rest), ""
    if is_registry_name(first):
        try:
            return resolve_bundle(first, *place), _required(rest), ""
        except RegistryError as error:
            if first == _DEFAULT_MODEL:
                raise
            note = f" (taken for a title: {error})"
    else:
        note = ""
    return resolve_bundle(_DEFAULT_MODEL, *place), args.words, note


def _required(titles: list[str]) -> list[str]:
    from pipeline.errors import RegistryError

    if not titles:
        raise RegistryError('give at least one title, such as "Toy Story (1995)"')
    return titles


def _movie(word: str) -> int | str:
    number = word.removeprefix(_ID_PREFIX)
    return int(number) if number != word and number.isdigit() else word


def _listed(
    text: str | None, option: str, what: str, parse: Callable[[str], _Value]
) -> list[_Value | None] | None:
    """Returns the values of a comma-separated list, None for what is not known."""
    if text is None:
        return None
    return [
        None if word.strip() == _UNKNOWN else _parsed(word.strip(), option, what, parse)
        for word in text.split(",")
    ]


def _parsed(
    word: str | None, option: str, what: str, parse: Callable[[str], _Value]
) -> _Value | None:
    from pipeline.errors import ConfigError

    if word is None:
        return None
    try:
        return parse(word)
    except ValueError:
        raise ConfigError(f"{option}: {word!r} is not {what}, or {_UNKNOWN}") from None


def _seconds(word: str) -> int:
    """Returns unix seconds of a number of seconds or of an ISO 8601 time, UTC by default."""
    if word.isdigit():
        return int(word)
    moment = datetime.fromisoformat(word)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp())


def _print_table(history: list[str], found: list[Recommendation]) -> None:
    from tabulate import tabulate

    print(f"after {'; '.join(history)}:")
    rows = [[rank, movie.title, f"{movie.score:.3f}"] for rank, movie in enumerate(found, start=1)]
    print(tabulate(rows, headers=["", "title", "score"], disable_numparse=True))


def _print_json(
    bundle: Bundle, variant: str, history: list[str], found: list[Recommendation]
) -> None:
    answer = {
        "bundle": str(bundle.path),
        "bundle_id": bundle.manifest.bundle_id,
        "variant": variant,
        "history": history,
        "recommendations": [
            {"movie_id": movie.movie_id, "title": movie.title, "score": movie.score}
            for movie in found
        ],
    }
    print(json.dumps(answer, ensure_ascii=False, indent=2))
