"""Cuts a release by time into spans, to try out what happens as data comes in."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from components.movielens_example_gen import policy
from components.movielens_example_gen.catalogue import read_catalogue
from components.movielens_example_gen.formats import Release, detect
from components.movielens_example_gen.problems import Report
from components.movielens_example_gen.reader import read_blocks
from components.movielens_example_gen.staging import staged
from pipeline.config.data import MalformedConfig
from pipeline.datasets import atomic
from pipeline.errors import DataError

NAME = "ratings"


def split_by_time(source: Path, target: Path, shares: Sequence[float]) -> list[int]:
    """Writes `ratings-1`, `ratings-2` ... in the release's own format.

    Rows keep their order; rows of the same second stay together. Every span lists all movies and
    users.

    Args:
        source: Folder or `.zip` of a release.
        target: The folder to make.
        shares: Of the ratings, a span each; they are divided by their sum.

    Returns:
        Ratings of each span.

    Raises:
        DataError: The release cannot be read, the shares make no spans, or the folder is there.
    """
    if len(shares) < 2 or min(shares) <= 0:
        raise DataError(f"shares {list(shares)}: give two or more, all above 0")
    target = target.expanduser().resolve()
    with staged(str(source)) as folder, atomic.exclusive(target):
        if target.exists():
            raise DataError(f"{target}: is there already; remove it or name another folder")
        release = detect(folder)
        times = _times(release)
        ends = np.cumsum(shares)[:-1] / sum(shares)
        ranks = np.minimum((ends * len(times)).astype(np.int64), len(times) - 1)
        span = np.searchsorted(np.sort(times)[ranks], times, side="right")
        counts = np.bincount(span, minlength=len(shares)).tolist()
        if min(counts) == 0:
            raise DataError(f"{release.ratings}: spans of {counts} ratings; give fewer shares")
        with atomic.new_folder(target) as fresh:
            _write(release, span.tolist(), [fresh / f"{NAME}-{n + 1}" for n in range(len(shares))])
    return [int(count) for count in counts]


def _times(release: Release) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    movie_ids = read_catalogue(release).movie_ids
    blocks = list(read_blocks(release, movie_ids))
    report = Report.merge(block.report for block in blocks)
    policy.check(report, MalformedConfig(), (release,), movie_ids)
    return np.concatenate([block.ratings.timestamp for block in blocks])


def _write(release: Release, span: Sequence[int], folders: Sequence[Path]) -> None:
    for folder in folders:
        folder.mkdir()
        for path in release.files:
            if path != release.ratings:
                shutil.copy(path, folder)
    name = Path(release.ratings).name
    with contextlib.ExitStack() as stack, Path(release.ratings).open("rb") as ratings:
        files = [stack.enter_context((folder / name).open("wb")) for folder in folders]
        header = ratings.read(release.header)
        for file in files:
            file.write(header)
        lines = (line for line in ratings if line.strip())
        for number, line in zip(span, lines, strict=True):
            # The last line may have no ending.
            files[number].write(line if line.endswith(b"\n") else line + b"\n")
