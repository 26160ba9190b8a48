"""Model files that ship compressed: fewer bytes to fetch and keep, the same model when it runs."""

from __future__ import annotations

import zlib

SUFFIX = ".gz"
"""What the names of such files end with."""

# Deflate in a gzip frame, which browsers and Android unpack by themselves. Written by zlib alone:
# Python's own gzip module writes another header from one version to the next.
_GZIP_FRAME = 16 + zlib.MAX_WBITS
_BEST = 9

# Rows of few bits repeat nothing: what looks like it costs more than codes for their bytes alone.
_STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY)


def gzipped(content: bytes) -> bytes:
    """Returns the content as a gzip file without a name or a time: same content, same bytes."""
    return min((_deflated(content, strategy) for strategy in _STRATEGIES), key=len)


def unzipped(content: bytes) -> bytes:
    """Returns what a gzip file holds.

    Raises:
        ValueError: It is none, is cut off, or more follows it.
    """
    reader = zlib.decompressobj(_GZIP_FRAME)
    try:
        model = reader.decompress(content)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not reader.eof:
        raise ValueError("it is cut off")
    if reader.unused_data:
        raise ValueError(f"{len(reader.unused_data):,} bytes follow its end")
    return model


def _deflated(content: bytes, strategy: int) -> bytes:
    compressor = zlib.compressobj(_BEST, zlib.DEFLATED, _GZIP_FRAME, zlib.DEF_MEM_LEVEL, strategy)
    return compressor.compress(content) + compressor.flush()
