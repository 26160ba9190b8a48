"""Gzipped models are read whole or not at all, and are the same bytes wherever they are made."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketrec_device.gzipped import gzipped, unzipped


@given(st.binary(max_size=5000))
def test_what_was_zipped_comes_back(content: bytes) -> None:
    packed = gzipped(content)
    assert unzipped(packed) == content
    assert gzip.decompress(packed) == content
    assert unzipped(gzip.compress(content)) == content


def test_the_header_tells_neither_name_nor_time() -> None:
    # Deflate, no flags, no time, most compression, from a Unix.
    assert gzipped(b"model").startswith(bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3]))
    assert len(gzipped(bytes(10_000))) < 100


def test_numbers_of_two_bits_in_four_ship_in_two() -> None:
    # Bytes of two of four codes: 4 bits each by themselves, where a search for repeats finds some.
    codes = np.random.default_rng(3).integers(0, 4, (100_000, 2)).astype(np.uint8)
    content = (codes[:, 0] * 3 | codes[:, 1] * 3 << 4).tobytes()
    assert 50_000 < len(gzipped(content)) < 51_500
    assert unzipped(gzipped(content)) == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"TFL3 is no gzip file", "incorrect header check"),
        (b"", "cut off"),
        (gzipped(b"a model" * 99)[:-1], "cut off"),
        (gzipped(b"a model") + b"!!", "2 bytes follow its end"),
        (gzipped(b"a model")[:-8] + bytes(8), "incorrect data check"),
    ],
)
def test_what_is_not_whole_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        unzipped(content)
