"""The answer of `pocketrec recommend`: a table, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.table import Table

from pipeline.cli.output import console
from pocketrec_device import Bundle, Recommendation, Recommender
from pocketrec_device.bundle import Movie


def print_table(
    recommender: Recommender,
    history: Sequence[Movie],
    found: Sequence[Recommendation],
    milliseconds: float,
) -> None:
    """Prints a table of what was found, below what it follows.

    Args:
        recommender: Who answered.
        history: What was watched, oldest first.
        found: The answer, best first.
        milliseconds: That it took.
    """
    bundle, screen = recommender.bundle, console()
    screen.print(f"after {'; '.join(movie.title for movie in history)}:", markup=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    table.add_column("title", style="bold", overflow="fold")
    table.add_column("year")
    table.add_column("genres", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    for rank, entry in enumerate(found, start=1):
        movie = _of(bundle, entry)
        table.add_row(
            str(rank),
            entry.title.removesuffix(f" ({movie.year})"),
            str(movie.year or ""),
            ", ".join(movie.genres),
            f"{entry.score:.3f}",
        )
    screen.print(table, markup=False)
    screen.print(
        f"{recommender.variant} of bundle {bundle.manifest.bundle_id[:12]}, {milliseconds:.2f} ms",
        style="dim",
    )


def print_json(
    recommender: Recommender,
    history: Sequence[Movie],
    found: Sequence[Recommendation],
    milliseconds: float,
) -> None:
    """Prints the same as JSON; see `print_table`."""
    bundle = recommender.bundle
    answer = {
        "bundle": str(bundle.path),
        "bundle_id": bundle.manifest.bundle_id,
        "variant": recommender.variant,
        "milliseconds": round(milliseconds, 3),
        "history": [movie.title for movie in history],
        "history_ids": [movie.movie_id for movie in history],
        "recommendations": [
            {
                "movie_id": entry.movie_id,
                "title": entry.title,
                "year": _of(bundle, entry).year,
                "genres": list(_of(bundle, entry).genres),
                "score": entry.score,
            }
            for entry in found
        ],
    }
    print(json.dumps(answer, ensure_ascii=False, indent=2))


def _of(bundle: Bundle, entry: Recommendation) -> Movie:
    return bundle.movies[bundle.vocabulary_id(entry.movie_id) - 1]
