"""Weights as a few integers times a step: numpy arrays in and out, no file and no graph."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from modules.models.item_tables.few_bits import largest_code

FloatArray = npt.NDArray[np.float32]

# Values that were computed as a step times an integer are that to float32's rounding.
_ROUNDING = 1e-6

# What is tried, in steps that reach the largest magnitude. For weights that are normally
# distributed in 4 bits the best is a little more than half.
_SHARES = np.linspace(1.0, 0.3, 36)


@dataclasses.dataclass(frozen=True)
class Codes:
    """A weight array as integers.

    Attributes:
        bits: 8, 4 or 2.
        values: int8, of the shape of the weights, from -`largest_code(bits)` to it; of 2 bits -2
            too, where training used it.
        steps: float32 [1], or one for each index of `axis`.
        axis: Where there are several steps, what they belong to.
    """

    bits: int
    values: npt.NDArray[np.int8]
    steps: FloatArray
    axis: int = 0

    def restored(self) -> FloatArray:
        """Returns the weights that a device computes with."""
        shape = [1] * self.values.ndim
        shape[self.axis] = len(self.steps)
        return self.values.astype(np.float32) * self.steps.reshape(shape)


def encode(weights: FloatArray, bits: int, *, axis: int | None = None) -> Codes:
    """Rounds weights to codes; the largest magnitude gets the largest code.

    Args:
        weights: float32, any shape.
        bits: 8, 4 or 2.
        axis: Gives each index of this axis a step of its own; None: one step for all.
    """
    return _rounded(weights, _widest_steps(weights, bits, axis), bits, axis)


def encode_closest(weights: FloatArray, bits: int, *, axis: int | None = None) -> Codes:
    """Rounds weights to codes with the steps that leave the smallest squared error.

    With few bits it pays to cut off the largest weights, as all others then get a finer step.

    Args:
        weights: float32, any shape.
        bits: 8, 4 or 2.
        axis: As in `encode`.
    """
    widest = _widest_steps(weights, bits, axis)
    best, least = widest, np.full(widest.shape, np.inf)
    top = largest_code(bits)
    # Beyond one: of weights that training rounded, whose largest code is not the largest there is.
    for share in (*_SHARES, *(top / code for code in range(top // 2 + 1, top))):
        steps = widest * np.float32(share)
        restored = _rounded(weights, steps, bits, axis).restored()
        error = np.square(weights - restored, dtype=np.float64).sum(
            axis=_other_axes(weights, axis), keepdims=True
        )
        best = np.where(error < least, steps, best)
        least = np.minimum(error, least)
    return _rounded(weights, best, bits, axis)


def encode_exactly(weights: FloatArray) -> Codes | None:
    """Finds out whether weights are small integers times one step.

    Training for few bits leaves such weights. The step is known from the largest magnitude, which
    is the step times an integer that is not known; after training for 8 bits it is 127.

    Args:
        weights: float32, any shape.

    Returns:
        The codes, of as few bits as they need, or None where training rounded nothing. What they
        restore differs from the weights by float32's rounding alone.
    """
    largest = np.abs(weights).max()
    if not largest > 0:
        return None
    for top in (*range(1, largest_code(4) + 1), largest_code(8)):
        step = np.float32(largest / np.float32(top))
        codes = np.rint(weights / step)
        if (np.abs(weights - codes * step) <= _ROUNDING * largest).all():
            bits = 2 if _in_two_bits(codes) else 4 if top <= largest_code(4) else 8
            return Codes(bits, codes.astype(np.int8), np.array([step], np.float32))
    return None


def _in_two_bits(codes: FloatArray) -> bool:
    return bool(codes.min() >= -largest_code(2) - 1 and codes.max() <= largest_code(2))


def _widest_steps(weights: FloatArray, bits: int, axis: int | None) -> FloatArray:
    """Returns the steps that reach the largest magnitudes, of as many axes as the weights."""
    largest = np.abs(weights).max(axis=_other_axes(weights, axis), keepdims=True)
    # Of nothing but zeros any step will do.
    steps: FloatArray = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(
        largest_code(bits)
    )
    return steps


def _rounded(weights: FloatArray, steps: FloatArray, bits: int, axis: int | None) -> Codes:
    top = largest_code(bits)
    values = np.clip(np.rint(weights / steps), -top, top).astype(np.int8)
    return Codes(bits, values, steps.reshape(-1), axis or 0)


def _other_axes(weights: FloatArray, axis: int | None) -> tuple[int, ...]:
    return tuple(i for i in range(weights.ndim) if i != axis)


def pack(values: npt.NDArray[np.int8], bits: int) -> npt.NDArray[np.uint8]:
    """Packs codes as LiteRT stores them: row by row, the first code in the lowest bits of a byte.

    Args:
        values: int8, any shape.
        bits: 8, 4 or 2; the last byte is filled up with zeros.
    """
    if bits == 8:
        return np.ascontiguousarray(values).view(np.uint8).reshape(-1)
    per_byte = 8 // bits
    flat = values.reshape(-1)
    flat = np.pad(flat, (0, -len(flat) % per_byte)).reshape(-1, per_byte)
    fields = flat.view(np.uint8) & np.uint8((1 << bits) - 1)
    shifts = np.arange(per_byte, dtype=np.uint8) * np.uint8(bits)
    return np.bitwise_or.reduce(fields << shifts, axis=1).astype(np.uint8)


def unpack(data: npt.NDArray[np.uint8], bits: int, shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
    """Reads what `pack` gave.

    Args:
        data: uint8 [bytes].
        bits: 8, 4 or 2.
        shape: Of the codes.

    Returns:
        int8, of that shape.
    """
    if bits == 8:
        return data.view(np.int8).reshape(shape)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    fields = (data[:, np.newaxis] >> shifts).astype(np.uint8) << np.uint8(8 - bits)
    # Shifted back as signed numbers, the highest bit of a field is its sign.
    codes = fields.astype(np.uint8).view(np.int8) >> np.int8(8 - bits)
    return codes.reshape(-1)[: int(np.prod(shape))].reshape(shape)
