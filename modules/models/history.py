"""What a model reads of a batch of histories, before and after the look-up of item vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class Context(NamedTuple):
    """Histories as ids and numbers.

    Attributes:
        movie_id: Integers [batch, history] of the vocabulary, oldest first, 0 = padding.
        rating: float32 [batch, history], stars, 0 = not known; None where no feature reads it.
        time: int32 [batch, history + 1], seconds since 1970 UTC; column i is the event at position
            i, and the one after the last event is the moment that is predicted for. None where
            nothing reads it.
        user: int32 [batch, attributes], ids of `modules.user_attributes` in its order, 0 = not
            known; None where nothing reads them.
    """

    movie_id: tf.Tensor
    rating: tf.Tensor | None = None
    time: tf.Tensor | None = None
    user: tf.Tensor | None = None

    def map(self, function: Callable[[Any], Any]) -> Context:
        """Returns the same with each part that is there replaced by a function's result."""
        return Context(*(None if part is None else function(part) for part in self))

    def rows(self, start: int, count: int) -> Context:
        """Returns `count` histories of arrays in memory, zeros filling what is not there."""
        missing = max(0, start + count - len(self.movie_id))
        return self.map(
            lambda values: np.pad(values[start : start + count], [(0, missing), (0, 0)])
        )


class History(NamedTuple):
    """Histories as vectors: what an encoder gets.

    Attributes:
        items: float32 [batch, history, dim], oldest first, zeros at padding; features of the
            events are already added.
        known: float32 [batch, history, 1], 1 for an event, 0 for padding.
        time: As in `Context`, or None.
    """

    items: tf.Tensor
    known: tf.Tensor
    time: tf.Tensor | None = None
