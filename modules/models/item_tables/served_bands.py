"""Dense tables on a device: a constant for each band of columns, of few movies where it says so.

What a band of the most popular movies holds of all others is zero: numbers of rare movies change
few lists. A look-up of such a movie reads a row of zeros behind the band's own; where codes have
no zero, what it reads is multiplied by zero.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import operator
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.item_tables.base import ServedTable


@dataclasses.dataclass(frozen=True)
class ServedBand:
    """Columns of a table.

    Attributes:
        values: float32 [movies + 1, columns], of padding and of as many movies as it holds.
        centre: A number that a device's constant does not hold, added to what was read; so are
            codes without a zero stored.
    """

    values: npt.NDArray[np.float32]
    centre: float


class ServedBands(ServedTable):
    """See the module."""

    def __init__(self, bands: Sequence[ServedBand]) -> None:
        """Takes the bands, in the order of columns; the first holds all movies."""
        groups = itertools.groupby(bands, key=lambda band: len(band.values))
        self._groups = [_Group(list(own), len(bands[0].values)) for _, own in groups]

    def look_up(self, ids: tf.Tensor) -> tf.Tensor:
        """See `ServedTable.look_up`."""
        if sum(len(group.constants) for group in self._groups) == 1:
            return self._groups[0].look_up(ids)
        # As a list, which LiteRT's look-ups take; others would be turned into one for each band.
        found = _joined([group.look_up(tf.reshape(ids, [-1])) for group in self._groups])
        return tf.reshape(found, [-1, ids.shape[1], found.shape[1]])

    def scores(self, context: tf.Tensor) -> tf.Tensor:
        """See `ServedTable.scores`."""
        return _sum(
            group.scores(part)
            for group, part in zip(self._groups, _split(context, self._groups), strict=True)
        )


class _Group:
    """Bands of the same movies.

    Attributes:
        width: Of all of them.
        constants: What is stored of each.
    """

    def __init__(self, bands: Sequence[ServedBand], rows: int) -> None:
        self.width = sum(band.values.shape[1] for band in bands)
        self._rows, self._own = rows, len(bands[0].values)
        self._centres = np.repeat(
            np.array([band.centre for band in bands], np.float32),
            [band.values.shape[1] for band in bands],
        )
        few = self._own < rows
        # What others read: a row of zeros, or any row, times zero.
        self._masked = few and bool(self._centres.any())
        behind = int(few and not self._masked)
        self._others = self._own - 1 + behind if few else None
        self.constants = [_Constant(band, behind=behind) for band in bands]

    def look_up(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns float32 [..., width], as `ids` are shaped."""
        held = ids if self._others is None else tf.minimum(ids, self._others)
        found = _joined([tf.gather(tf.constant(own.values), held) for own in self.constants])
        if self._centres.any():
            found = found + self._centres
        if self._masked:
            found = found * tf.cast(ids < self._own, tf.float32)[..., tf.newaxis]
        return found

    def scores(self, context: tf.Tensor) -> tf.Tensor:
        """Returns float32 [batch, movies + 1], of a context [batch, width]."""
        total = _sum(
            tf.matmul(part, tf.constant(own.values), transpose_b=True)
            for own, part in zip(self.constants, _split(context, self.constants), strict=True)
        )
        if self._centres.any():
            total = total + tf.matmul(context, self._centres[:, np.newaxis])
        missing = self._rows - total.shape[1]
        return tf.pad(total, [[0, 0], [0, missing]]) if missing else total


class _Constant:
    """What is stored of a band.

    Attributes:
        width: Of it.
        values: float32 [rows, width].
    """

    def __init__(self, band: ServedBand, *, behind: int) -> None:
        self.width = band.values.shape[1]
        stored = band.values - np.float32(band.centre)
        # Of padding, which nothing reads: a code like all others.
        stored[0] = 0
        # Of its own memory: slices of one array would be no equal constants.
        self.values = np.ascontiguousarray(np.pad(stored, [(0, behind), (0, 0)]))


def _split(context: tf.Tensor, parts: Sequence[_Group] | Sequence[_Constant]) -> list[tf.Tensor]:
    widths = [part.width for part in parts]
    return [context] if len(widths) == 1 else tf.split(context, widths, axis=1)


def _joined(parts: list[tf.Tensor]) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=1)


def _sum(parts: Iterable[tf.Tensor]) -> tf.Tensor:
    return functools.reduce(operator.add, parts)
