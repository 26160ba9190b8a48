"""`pocketrec recommend`: movies after a history, from a bundle through the device runtime."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pipeline.cli import choices
from pipeline.cli.common import give_up_soon, started
from pipeline.cli.registry import add_registry_options
from pipeline.cli.variant_choice import VariantChoice, add_variant_options

if TYPE_CHECKING:
    from pipeline.cli.titles import TitleFinder
    from pipeline.workspace import Workspace
    from pocketrec_device import Bundle
    from pocketrec_device.bundle import Movie

_ID_PREFIX = "id:"
_DEFAULT_MODEL = "champion"
_UNKNOWN = "none"
_A_TIME = "unix seconds or a time such as 2000-12-31T23:59"

_USER_PREFIX = "user_"

EPILOG = """\
examples:
  pocketrec recommend "Toy Story (1995)" "The Matrix (1999)" --ratings 4.5,none
  pocketrec recommend champion "Heat (1995)" --user gender=F --user "age=25 to 34" -k 5
  pocketrec recommend path/to/bundle id:260 --budget 64KB --json

A misspelled title is taken where one movie alone is near; otherwise those near are listed. A model
that reads no ratings, times or users does without.
"""

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
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words = parser.add_argument(
        "words",
        nargs="+",
        metavar="MODEL_OR_BUNDLE, TITLE",
        help=(
            "the model: an alias or version of the registry, or a bundle's folder (left out: "
            f"{_DEFAULT_MODEL}); then titles, oldest first, the year may be left out, or "
            f"{_ID_PREFIX}NUMBER for a movie id"
        ),
    )
    choices.of_models(words)
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
        "--user",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what is known of the user: gender=F, age=..., occupation=...; may be repeated",
    )
    parser.add_argument(
        "--now", metavar="TIME", help="the moment to recommend for (default: this one)"
    )
    add_variant_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_registry_options(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Runs the command."""
    from pipeline.cli.recommendations import print_json, print_table
    from pipeline.cli.titles import TitleFinder
    from pipeline.errors import RegistryError
    from pipeline.workspace import Workspace
    from pocketrec_device import Bundle, DeviceError

    give_up_soon()
    path, titles, note = _model_and_titles(args)
    ratings = _listed(args.ratings, "--ratings", "stars such as 4.5", float)
    times = _listed(args.times, "--times", _A_TIME, _seconds)
    now = _parsed(args.now, "--now", _A_TIME, _seconds)
    try:
        bundle = Bundle.load(path)
        recommender = started(bundle, VariantChoice.of(args))
        user = _user(args.user, bundle)
        finder, workspace = TitleFinder(recommender), Workspace.at(args.workspace)
        history = [_found(word, finder, bundle, workspace, note) for word in titles]
        watched = [_found(word, finder, bundle, workspace, note) for word in args.watched]
        began = time.perf_counter()
        found = recommender.recommend(
            [movie.movie_id for movie in history],
            k=args.k,
            watched=[movie.movie_id for movie in watched],
            ratings=ratings,
            times=times,
            now=now,
            user=user,
        )
        milliseconds = 1000 * (time.perf_counter() - began)
    except DeviceError as error:
        raise RegistryError(f"{error}{note}") from None
    show = print_json if args.json else print_table
    show(recommender, history, found, milliseconds)
    return 0


def _found(
    word: str, finder: TitleFinder, bundle: Bundle, workspace: Workspace, note: str
) -> Movie:
    """Returns the movie that a word means, and says so if that is not what it says."""
    from pipeline.cli.titles import UnknownTitleError
    from pipeline.cli.unknown_movie import why_unknown
    from pipeline.errors import RegistryError

    title = _movie(word)
    try:
        found = finder.find(title)
    except UnknownTitleError as unknown:
        what = f"no movie {word!r} in the model's catalogue"
        if isinstance(title, int):
            what = f"the model does not know a movie with id {title}"
        if unknown.candidates:
            near = "".join(
                f"\n  {_ID_PREFIX}{movie.movie_id:<8} {movie.title}" for movie in unknown.candidates
            )
            what = f"{what}{note}; if one of these is meant, say which, by title or id:{near}"
            raise RegistryError(f"{what}\n{why_unknown(title, bundle, workspace)}") from None
        raise RegistryError(f"{what}: {why_unknown(title, bundle, workspace)}{note}") from None
    if found.note:
        print(found.note, file=sys.stderr)
    return found.movie


def _user(words: list[str], bundle: Bundle) -> dict[str, str | int | None]:
    """Returns what is known of the user, by the names of the model's inputs."""
    from pipeline.errors import ConfigError
    from pocketrec_device.manifest import USER_INPUTS

    told: dict[str, str | int | None] = {}
    for word in words:
        name, equals, value = word.partition("=")
        full = name if name.startswith(_USER_PREFIX) else f"{_USER_PREFIX}{name}"
        if not equals or full not in USER_INPUTS:
            known = ", ".join(known.removeprefix(_USER_PREFIX) for known in USER_INPUTS)
            raise ConfigError(f"--user {word!r}: must be NAME=VALUE, the name one of {known}")
        categories = bundle.manifest.categories.get(full)
        if categories is None:
            print(f"--user {word}: this model reads no {full}", file=sys.stderr)
        elif value not in categories:
            raise ConfigError(f"--user {word!r}: must be one of {', '.join(categories)}")
        told[full] = value
    return {name: value for name, value in told.items() if name in bundle.manifest.categories}


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
            # A word that stands alone was hardly meant for a model.
            note = f" (taken for a title: {error})" if rest else ""
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
