"""Ratings as columns: the form in which they travel and are sorted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

HALF_STARS = 10
"""The highest rating, in half stars; the lowest is 1."""

_USER, _MOVIE, _HALF, _TIME = (np.dtype(d) for d in ("<i8", "<i4", "<u1", "<i8"))
_ROW_BYTES = _USER.itemsize + _MOVIE.itemsize + _HALF.itemsize + _TIME.itemsize


@dataclasses.dataclass(frozen=True)
class Ratings:
    """Rows of ratings, a column each, all `[rows]`.

    Attributes:
        user: The release's user ids, int64.
        movie: Indices into the catalogue's sorted movie ids, int32: counting is then a histogram.
        half_stars: Ratings in half stars, 1..10, uint8: exact, and an eighth of a double.
        timestamp: Seconds since 1970 UTC, int64.
    """

    user: Ints
    movie: npt.NDArray[np.int32]
    half_stars: npt.NDArray[np.uint8]
    timestamp: Ints

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> Ratings:
        """The given rows: a mask, indices or a slice."""
        return Ratings(
            self.user[rows], self.movie[rows], self.half_stars[rows], self.timestamp[rows]
        )

    def to_bytes(self) -> bytes:
        """The columns one after the other, little-endian."""
        return b"".join(
            column.astype(dtype, copy=False).tobytes()
            for column, dtype in (
                (self.user, _USER),
                (self.movie, _MOVIE),
                (self.half_stars, _HALF),
                (self.timestamp, _TIME),
            )
        )

    @classmethod
    def from_bytes(cls, payload: bytes) -> Ratings:
        """Reads what `to_bytes` wrote; the arrays are views on `payload`."""
        rows, rest = divmod(len(payload), _ROW_BYTES)
        if rest:
            raise ValueError(f"{len(payload)} bytes are no whole number of {_ROW_BYTES}-byte rows")
        movie = rows * _USER.itemsize
        half = movie + rows * _MOVIE.itemsize
        time = half + rows * _HALF.itemsize
        return cls(
            np.frombuffer(payload, _USER, rows, 0),
            np.frombuffer(payload, _MOVIE, rows, movie),
            np.frombuffer(payload, _HALF, rows, half),
            np.frombuffer(payload, _TIME, rows, time),
        )

    @classmethod
    def concat(cls, blocks: Sequence[Ratings]) -> Ratings:
        """Blocks one after the other, in the given order."""
        if not blocks:
            return cls.from_bytes(b"")
        return cls(
            np.concatenate([b.user for b in blocks]),
            np.concatenate([b.movie for b in blocks]),
            np.concatenate([b.half_stars for b in blocks]),
            np.concatenate([b.timestamp for b in blocks]),
        )


def mix(values: Ints, salt: int) -> npt.NDArray[np.uint64]:
    """Spreads integers over all 64 bits, the same on every machine and in every process.

    The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", 2014). Python's own `hash` would keep the order of the ids.

    Args:
        values: `[n]`.
        salt: Makes independent hashes of the same values.
    """
    x = values.astype(np.uint64) + np.uint64((0x9E3779B97F4A7C15 * (salt + 1)) % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
