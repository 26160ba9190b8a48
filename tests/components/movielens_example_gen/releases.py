"""Tiny releases in every file format, written out by hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

FORMATS = ("100k", "1m", "10m", "csv")

Row = tuple[int, int, float, int]
"""User, movie, stars, timestamp."""

MOVIES = (
    (1, "Toy Story (1995)", ("Animation", "Children's", "Comedy")),
    (2, "Café Müller (1978)", ("Drama",)),
    (3, "Matrix, The (1999)", ("Action", "Sci-Fi")),
    (7, "Nameless", ()),
)

ROWS: tuple[Row, ...] = (
    (5, 1, 4, 100),
    (5, 3, 5, 90),
    (9, 1, 3, 100),
    (5, 2, 1, 100),
    (9, 2, 2, 100),
    (9, 3, 4, 99),
    (5, 7, 2, 200),
)
"""Two users, interleaved and out of time order, with ties."""

RATINGS_FILE = {"100k": "u.data", "1m": "ratings.dat", "10m": "ratings.dat", "csv": "ratings.csv"}

REAL_DATA = Path(
    os.environ.get("POCKETREC_DATA", Path(__file__).resolve().parents[3].parent / "shared" / "data")
)

_GENRES_100K = (
    "unknown|0\nAction|1\nAdventure|2\nAnimation|3\nChildren's|4\nComedy|5\nCrime|6\n"
    "Documentary|7\nDrama|8\nFantasy|9\nFilm-Noir|10\nHorror|11\nMusical|12\nMystery|13\n"
    "Romance|14\nSci-Fi|15\nThriller|16\nWar|17\nWestern|18\n\n"
)


def rating_lines(release_format: str, rows: Sequence[Row]) -> list[str]:
    """The rows as the format spells them, without line endings."""
    separator = {"100k": "\t", "1m": "::", "10m": "::", "csv": ","}[release_format]
    return [
        separator.join(
            (str(u), str(m), f"{float(s)}" if release_format == "csv" else f"{s:g}", str(t))
        )
        for u, m, s, t in rows
    ]


def write_ratings(folder: Path, release_format: str, lines: Sequence[str], end: str = "\n") -> Path:
    """Writes raw lines as the ratings file; CSV gets its header."""
    path = folder / RATINGS_FILE[release_format]
    newline = "\r\n" if release_format == "csv" else "\n"
    header = ["userId,movieId,rating,timestamp"] if release_format == "csv" else []
    text = newline.join([*header, *lines]) + (newline if end else "")
    path.write_bytes(text.encode())
    return path


def write_release(folder: Path, release_format: str, rows: Sequence[Row] = ROWS) -> Path:
    """Writes a whole release and returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_ratings(folder, release_format, rating_lines(release_format, rows))
    if release_format == "100k":
        names = [line.split("|")[0] for line in _GENRES_100K.split("\n") if line]
        items = []
        for movie, title, genres in MOVIES:
            flags = "|".join(str(int(name in (genres or ("unknown",)))) for name in names)
            items.append(f"{movie}|{title}|01-Jan-1995||http://example.org/{movie}|{flags}\n")
        (folder / "u.item").write_bytes("".join(items).encode("latin-1"))
        (folder / "u.genre").write_text(_GENRES_100K)
        (folder / "u.user").write_text("5|24|M|technician|85711\n9|53|F|other|94043\n")
    elif release_format == "csv":
        rest = [
            f"{movie},{_quoted(title)},{'|'.join(genres) or '(no genres listed)'}\r\n"
            for movie, title, genres in MOVIES
        ]
        (folder / "movies.csv").write_bytes(
            ("movieId,title,genres\r\n" + "".join(rest)).encode("utf-8")
        )
    else:
        encoding = "latin-1" if release_format == "1m" else "utf-8"
        listed = [
            f"{movie}::{title}::{'|'.join(genres) or '(no genres listed)'}\n"
            for movie, title, genres in MOVIES
        ]
        (folder / "movies.dat").write_bytes("".join(listed).encode(encoding))
        if release_format == "1m":
            (folder / "users.dat").write_text("5::M::25::12::85711\n9::F::1::0::94043\n")
    return folder


def _quoted(title: str) -> str:
    return f'"{title}"' if "," in title else title
