"""Reads the movie vocabulary that Transform writes; needs no TensorFlow.

Transform's analyzer breaks ties of frequency by falling order of the key's text. So that ties
rank by ascending movie id, which is what a reader expects, the key is the distance of the movie id
from the largest int64: 19 digits for every id up to `MAX_MOVIE_ID`, so that falling text is
ascending id. A line of the file is `count key`; `read_vocabulary` gives plain movie ids.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from modules import features
from pipeline.errors import DataError

KEY_BASE = 2**63 - 1
"""key = KEY_BASE - movie id."""

MAX_MOVIE_ID = KEY_BASE - 10**18
"""Above it a key has fewer than 19 digits, and the order of ties would break."""


def vocabulary_path(transform_graph_uri: str) -> str:
    """Returns the vocabulary file's path inside a `transform_graph` artifact."""
    folder = transform_graph_uri.rstrip("/")
    return f"{folder}/transform_fn/assets/{features.MOVIE_VOCABULARY}"


def read_vocabulary(path: str | Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Reads the movies of a vocabulary file and how often each was watched in training.

    Args:
        path: The file, see `vocabulary_path`.

    Returns:
        `movie_ids` int64 [movies], the release's ids: entry i has vocabulary id i + 1; and
        `counts` int64 [movies], training events, falling; ties by ascending movie id.

    Raises:
        DataError: The file is missing, is not a vocabulary of this pipeline, or holds no movie.
    """
    lines = _read_text(str(path)).splitlines()
    counts = np.empty(len(lines), np.int64)
    movie_ids = np.empty(len(lines), np.int64)
    for index, line in enumerate(lines):
        try:
            count, key = line.split(" ")
            counts[index], movie_ids[index] = int(count), KEY_BASE - int(key)
        except (ValueError, OverflowError):
            # An empty vocabulary is written as one line with the key -1, which overflows.
            if line.endswith(" -1"):
                raise DataError(
                    f"{path}: the vocabulary is empty: no training event passes "
                    "history.min_rating and history.min_movie_count; lower them"
                ) from None
            raise DataError(
                f"{path}, line {index + 1}: {line!r} is not a line of a movie vocabulary "
                "(`count key`)"
            ) from None
    if not lines:
        raise DataError(f"{path}: the vocabulary is empty; run the pipeline again")
    return movie_ids, counts


def _read_text(path: str) -> str:
    try:
        if "://" in path:
            # Object storage needs TensorFlow's file systems; local readers do without.
            from tensorflow.io import gfile

            with gfile.GFile(path) as file:
                return str(file.read())
        return Path(path).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: the movie vocabulary cannot be read ({error})") from None
