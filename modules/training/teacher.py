"""What a student learns from a trained model: context vectors and the table they go with.

A model's scores of all movies at all training positions would fill a disk. They are products of a
vector a position with one table, and the vectors fit into memory: a million positions of a model
of dim 128 are 256 MB in float16, whose rounding moves a score by less than a hundredth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.features import PADDING_ID
from modules.models.history import Context
from modules.models.recommender import Recommender
from modules.training.input import Windows
from pipeline.errors import ConfigError

# Events that are encoded at one time.
_EVENTS = 16_384


class Teacher(NamedTuple):
    """A trained model, as far as scores of training positions go.

    Attributes:
        contexts: float16 [targets, width], of every position with a target, windows in their
            order; twice the bytes of its widths summed up while several teachers are joined.
        table: float32 [movies + 1, width]; their product is the scores.
    """

    contexts: npt.NDArray[np.float16]
    table: npt.NDArray[np.float32]

    @property
    def score_bound(self) -> float:
        """What no score's magnitude exceeds."""
        square = np.einsum("pd,pd->p", self.contexts, self.contexts, dtype=np.float32)
        longest = np.linalg.norm(self.table, axis=1).max(initial=0)
        return float(np.sqrt(square.max(initial=0)) * longest)


def teacher_contexts(model: Recommender, windows: Windows, *, xla: bool = True) -> Teacher:
    """Encodes all positions of training windows that have a target; nothing is dropped.

    Args:
        model: A trained model. Its bias, where it has one, becomes one more column.
        windows: Training windows.
        xla: Whether to compile.

    Returns:
        Contexts and table, see `Teacher`.

    Raises:
        ConfigError: A context vector is too long for float16.
    """
    table, bias = model.scoring_table().numpy(), model.scoring_bias()
    if bias is not None:
        table = np.concatenate([table, bias.numpy()[:, np.newaxis]], axis=1)
    encode = tf.function(model, jit_compile=xla, autograph=False)
    contexts = np.ones((np.count_nonzero(windows.target), table.shape[1]), np.float16)
    batch = max(1, _EVENTS // windows.context.shape[1])
    whole = Context(windows.context, windows.rating, windows.time, windows.user)
    done = 0
    for start in range(0, len(windows), batch):
        has_target = windows.target[start : start + batch] != PADDING_ID
        vectors = encode(whole.rows(start, batch)).numpy()[: len(has_target)][has_target]
        with np.errstate(over="ignore"):
            contexts[done : done + len(vectors), : vectors.shape[1]] = vectors
        done += len(vectors)
    if not np.isfinite(contexts).all():
        raise ConfigError(
            "a teacher's context vectors exceed float16: lower its learning rate or, with cosine "
            f"scoring, model.cosine_scale ({model.config.cosine_scale})"
        )
    return Teacher(contexts, table)


def ensemble(teachers: Sequence[Teacher]) -> Teacher:
    """Returns the teacher whose scores are the mean of several teachers' scores.

    Args:
        teachers: Of the same windows and movies.
    """
    if len(teachers) == 1:
        return teachers[0]
    table = np.concatenate([teacher.table for teacher in teachers], axis=1)
    return Teacher(
        np.concatenate([teacher.contexts for teacher in teachers], axis=1),
        (table / len(teachers)).astype(np.float32),
    )
