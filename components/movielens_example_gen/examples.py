"""Timelines and movies as serialized `tf.Example`s, in the shapes of `modules.features`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from tensorflow.core.example import example_pb2

from components.movielens_example_gen.catalogue import Movie, User
from components.movielens_example_gen.columns import Ints
from components.movielens_example_gen.splits import Part
from components.movielens_example_gen.timelines import Timelines
from modules import features


def encode_part(timelines: Timelines, part: Part, users: Mapping[int, User]) -> Iterator[bytes]:
    """Encodes one split, by ascending user id.

    Args:
        timelines: The whole timelines.
        part: What of them belongs to the split.
        users: Attributes by user id; users that are not in it have none.
    """
    for user, end, first in zip(
        part.users.tolist(), part.ends.tolist(), part.first_targets.tolist(), strict=True
    ):
        start = int(timelines.offsets[user])
        rows = slice(start, start + end)
        user_id = int(timelines.user_ids[user])
        example = example_pb2.Example()
        feature = example.features.feature
        feature[features.USER_ID].int64_list.value.append(user_id)
        feature[features.MOVIE_ID].int64_list.value.extend(timelines.movie_ids[rows].tolist())
        feature[features.RATING].float_list.value.extend(timelines.ratings[rows].tolist())
        feature[features.TIMESTAMP].int64_list.value.extend(timelines.timestamps[rows].tolist())
        feature[features.FIRST_TARGET].int64_list.value.append(first)
        feature[features.HELD_OUT].int64_list.value.append(int(part.held_out))
        known = users.get(user_id)
        if known is not None:
            _add_attributes(feature, known)
        # Map fields have no order of their own: without `deterministic` bytes vary.
        yield example.SerializeToString(deterministic=True)


def encode_span(
    timelines: Timelines, users: Mapping[int, User], span: int, new_movies: Ints
) -> Iterator[bytes]:
    """Encodes what users did in one span, by ascending user id, for statistics alone.

    Args:
        timelines: Of the span's events only.
        users: Attributes by user id; users that are not in it have none.
        span: Its number.
        new_movies: Ids of movies that no earlier span lists.
    """
    is_new = np.isin(timelines.movie_ids, new_movies).astype(np.int64)
    for user, user_id in enumerate(timelines.user_ids.tolist()):
        rows = slice(int(timelines.offsets[user]), int(timelines.offsets[user + 1]))
        movies = timelines.movie_ids[rows].tolist()
        example = example_pb2.Example()
        feature = example.features.feature
        feature[features.USER_ID].int64_list.value.append(user_id)
        feature[features.SPAN].int64_list.value.append(span)
        feature[features.EVENTS].int64_list.value.append(len(movies))
        # Text, as statistics count how often each value of text occurs.
        feature[features.MOVIE].bytes_list.value.extend(b"%d" % movie for movie in movies)
        feature[features.RATING].float_list.value.extend(timelines.ratings[rows].tolist())
        feature[features.NEW_MOVIE].int64_list.value.extend(is_new[rows].tolist())
        known = users.get(user_id)
        if known is not None:
            _add_attributes(feature, known)
        yield example.SerializeToString(deterministic=True)


def encode_movies(movies: Sequence[Movie]) -> Iterator[bytes]:
    """Encodes the catalogue, in the given order."""
    for movie in movies:
        example = example_pb2.Example()
        feature = example.features.feature
        feature[features.MOVIE_ID].int64_list.value.append(movie.movie_id)
        feature[features.TITLE].bytes_list.value.append(movie.title.encode())
        feature[features.GENRES].bytes_list.value.extend(g.encode() for g in movie.genres)
        if movie.year is not None:
            feature[features.YEAR].int64_list.value.append(movie.year)
        yield example.SerializeToString(deterministic=True)


def _add_attributes(feature: Mapping[str, example_pb2.Feature], user: User) -> None:
    if user.gender is not None:
        feature[features.USER_GENDER].bytes_list.value.append(user.gender.encode())
    if user.age is not None:
        feature[features.USER_AGE].int64_list.value.append(user.age)
    if user.occupation is not None:
        feature[features.USER_OCCUPATION].bytes_list.value.append(user.occupation.encode())
