"""How numbers of few bits are rounded: what training, conversion and cutting agree on."""

from __future__ import annotations

NORMAL_STEPS = {2: 1.224, 4: 0.352}
"""Steps between codes, in root mean squares of all numbers, that lose least of a normal
distribution (Max, 1960): of three and fifteen codes. The 255 of eight bits are enough to reach the
largest number."""

BETWEEN_STEP = 0.9957
"""Likewise, between the two codes of each sign where none is zero (Max, 1960): 2 bits used up."""

SMALLEST_STEP = 1e-12
"""Of numbers that are all zero."""


def largest_code(bits: int) -> int:
    """Returns the largest code: 1, 7 or 127. Codes are symmetric, so that zero is exact."""
    return int(2 ** (bits - 1)) - 1
