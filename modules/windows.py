"""Timelines into windows of a fixed length, as TensorFlow operations over a batch of users.

Everything works on the flat values of the batch: one gather an output, no loop over users or
windows, and no tensor larger than `[windows, history]` (but for the ragged `seen_movie_id`).

Definitions, for one user's timeline:

- An event is *known* if its movie is in the vocabulary, and *usable* if its rating is high enough
  too. Usable events are the history; known events are what the user has seen.
- A *target* is an event at `first_target` or later, rated high enough, with at least
  `min_history` usable events before it. In training it must be known.
- In training, windows end at the last usable event and every `stride` usable events before it;
  the targets at a window's last `stride` positions are its own, so each target belongs to exactly
  one window. A held-out target has a window of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import tensorflow as tf

from modules import features


@dataclasses.dataclass(frozen=True)
class TimelineBatch:
    """Timelines of a batch of users; events are oldest first.

    Attributes:
        user_id: int64 [users].
        movie_id: Ragged int64 [users, (events)], ids of the vocabulary, 0 = not in it.
        rating: Ragged float32 [users, (events)], stars.
        timestamp: Ragged int64 [users, (events)], seconds since 1970 UTC.
        first_target: int64 [users], index of the first event that may be a target.
        held_out: int64 [users], 1 where each target has a window of its own.
        attributes: int64 [users] by name, what else each window of a user says.
    """

    user_id: tf.Tensor
    movie_id: tf.RaggedTensor
    rating: tf.RaggedTensor
    timestamp: tf.RaggedTensor
    first_target: tf.Tensor
    held_out: tf.Tensor
    attributes: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)


def make_windows(
    timelines: TimelineBatch,
    *,
    length: int,
    stride: int,
    min_history: int,
    min_rating: float,
    padding: Literal["left", "right"],
) -> dict[str, tf.Tensor | tf.RaggedTensor]:
    """Cuts timelines into windows.

    Args:
        timelines: The batch.
        length: N, positions of a window.
        stride: Usable events between the ends of two training windows, at most `length`.
        min_history: Usable events that must precede a target, at least 1.
        min_rating: Stars; events below are neither history nor target.
        padding: Side of a short history that is filled with zeros.

    Returns:
        The window features of `modules.features`: int64 or float32 [windows, N] or [windows, 1],
        and `seen_movie_id`, ragged int64 [windows, (seen)]; attributes int64 [windows, 1]. Windows
        follow the order of users and, within a user, of time.

    Raises:
        tf.errors.InvalidArgumentError: The lists of a timeline differ in length.
    """
    events = _Events.of(timelines, min_rating)
    ends = _window_ends(timelines, events, stride=stride, min_history=min_history)
    user = tf.gather(events.user, ends)
    is_held_out = tf.gather(timelines.held_out, user) > 0

    # Usable events of the whole batch are numbered; a window's history is the run [first, end).
    user_start = tf.gather(events.usable_start, user)
    end = tf.gather(events.usable_before, ends)
    history = end - user_start
    slots = tf.range(length, dtype=tf.int64)[tf.newaxis, :]
    used = tf.minimum(history, length)[:, tf.newaxis]
    if padding == "left":
        filled = slots >= length - used
        number = end[:, tf.newaxis] - length + slots
    else:
        filled = slots < used
        number = end[:, tf.newaxis] - used + slots
    # Any usable event does where a position is not filled; end - 1 exists, as min_history >= 1.
    number = tf.where(filled, number, end[:, tf.newaxis] - 1)

    usable = tf.where(events.usable)[:, 0]
    source = tf.gather(usable, number)
    is_end = number + 1 == end[:, tf.newaxis]
    first_own = tf.maximum(
        end + 1 - stride,
        user_start + tf.maximum(tf.gather(events.usable_before_first_target, user), min_history),
    )
    is_target = tf.where(is_held_out[:, tf.newaxis], is_end, number + 1 >= first_own[:, tf.newaxis])
    # The last target is the window's end itself: it is not a usable event where it is unknown.
    next_usable = tf.gather(usable, tf.where(is_end, number, number + 1))
    target_source = tf.where(is_end, ends[:, tf.newaxis], next_usable)
    is_target &= filled & (tf.gather(events.movie_id, target_source) > 0)

    def at(values: tf.Tensor, positions: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        picked = tf.gather(values, positions)
        return tf.reshape(tf.where(mask, picked, tf.zeros_like(picked)), [-1, length])

    def column(values: tf.Tensor) -> tf.Tensor:
        return tf.reshape(values, [-1, 1])

    return {
        features.CONTEXT_MOVIE_ID: at(events.movie_id, source, filled),
        features.CONTEXT_RATING: at(events.rating, source, filled),
        features.CONTEXT_TIMESTAMP: at(events.timestamp, source, filled),
        features.TARGET_MOVIE_ID: at(events.movie_id, target_source, is_target),
        features.TARGET_RATING: at(events.rating, target_source, is_target),
        features.TARGET_TIMESTAMP: column(tf.gather(events.timestamp, ends)),
        features.HISTORY_LENGTH: column(history),
        features.HELD_OUT: column(tf.gather(timelines.held_out, user)),
        features.USER_ID: column(tf.gather(timelines.user_id, user)),
        features.SEEN_MOVIE_ID: _seen(events, ends, user, is_held_out),
        **{name: column(tf.gather(of, user)) for name, of in timelines.attributes.items()},
    }


@dataclasses.dataclass(frozen=True)
class _Events:
    """The batch's events, flat; `before` counts run over the whole batch.

    Attributes:
        movie_id: int64 [events].
        rating: float32 [events].
        timestamp: int64 [events].
        user: int64 [events], row of the event's user.
        index: int64 [events], the event's place in its timeline.
        liked: bool [events], rated high enough.
        usable: bool [events].
        usable_before: int64 [events], usable events before this one.
        usable_start: int64 [users], usable events before the user's first.
        usable_end: int64 [users], usable events up to and with the user's last.
        usable_before_first_target: int64 [users], the user's own usable events before it.
        known_before: int64 [events], known events before this one.
        known_start: int64 [users], known events before the user's first.
    """

    movie_id: tf.Tensor
    rating: tf.Tensor
    timestamp: tf.Tensor
    user: tf.Tensor
    index: tf.Tensor
    liked: tf.Tensor
    usable: tf.Tensor
    usable_before: tf.Tensor
    usable_start: tf.Tensor
    usable_end: tf.Tensor
    usable_before_first_target: tf.Tensor
    known_before: tf.Tensor
    known_start: tf.Tensor

    @classmethod
    def of(cls, timelines: TimelineBatch, min_rating: float) -> _Events:
        same_lengths = [
            tf.debugging.assert_equal(
                timelines.movie_id.row_splits,
                other.row_splits,
                message=f"a timeline has not as many values in movie_id as in {name}",
            )
            for name, other in (("rating", timelines.rating), ("timestamp", timelines.timestamp))
        ]
        with tf.control_dependencies([check for check in same_lengths if check is not None]):
            splits = tf.identity(timelines.movie_id.row_splits)
        user = timelines.movie_id.value_rowids()
        movie_id = timelines.movie_id.flat_values
        rating = timelines.rating.flat_values
        liked = rating >= min_rating
        known = movie_id > 0
        usable = known & liked
        usable_counts = _counts_up_to(usable)
        known_counts = _counts_up_to(known)
        usable_start = tf.gather(usable_counts, splits[:-1])
        targets_start = tf.minimum(splits[:-1] + timelines.first_target, splits[1:])
        return cls(
            movie_id=movie_id,
            rating=rating,
            timestamp=timelines.timestamp.flat_values,
            user=user,
            index=tf.range(tf.size(movie_id, out_type=tf.int64)) - tf.gather(splits, user),
            liked=liked,
            usable=usable,
            usable_before=usable_counts[:-1],
            usable_start=usable_start,
            usable_end=tf.gather(usable_counts, splits[1:]),
            usable_before_first_target=tf.gather(usable_counts, targets_start) - usable_start,
            known_before=known_counts[:-1],
            known_start=tf.gather(known_counts, splits[:-1]),
        )


def _counts_up_to(flags: tf.Tensor) -> tf.Tensor:
    """Returns int64 [n + 1]: how many of the first 0, 1, ... n flags are set."""
    return tf.concat([[0], tf.cumsum(tf.cast(flags, tf.int64))], axis=0)


def _window_ends(
    timelines: TimelineBatch, events: _Events, *, stride: int, min_history: int
) -> tf.Tensor:
    """Returns int64 [windows]: the flat index of each window's last target."""
    history = events.usable_before - tf.gather(events.usable_start, events.user)
    may_be_target = (
        events.liked
        & (history >= min_history)
        & (events.index >= tf.gather(timelines.first_target, events.user))
    )
    usable_after = tf.gather(events.usable_end, events.user) - events.usable_before - 1
    ends_training_window = events.usable & (usable_after % stride == 0)
    is_held_out = tf.gather(timelines.held_out, events.user) > 0
    return tf.where(may_be_target & (is_held_out | ends_training_window))[:, 0]


def _seen(
    events: _Events, ends: tf.Tensor, user: tf.Tensor, is_held_out: tf.Tensor
) -> tf.RaggedTensor:
    """Returns ragged int64 [windows, (seen)]: known movies before a held-out window's target."""
    known = tf.boolean_mask(events.movie_id, events.movie_id > 0)
    start = tf.gather(events.known_start, user)
    limit = tf.where(is_held_out, tf.gather(events.known_before, ends), start)
    return tf.gather(known, tf.ragged.range(start, limit))
