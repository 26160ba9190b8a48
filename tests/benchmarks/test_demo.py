from __future__ import annotations

from benchmarks.demo import sizes, summarized


def test_percentiles_are_those_of_all_taps() -> None:
    assert summarized([float(number) for number in range(1, 102)]) == {"p50_ms": 51, "p95_ms": 96}


def test_sizes_are_sums_of_files_compressed_one_by_one() -> None:
    one = sizes([b"a" * 1000])
    assert sizes([b"a" * 1000] * 2) == {"bytes": 2000, "gzip_bytes": 2 * one["gzip_bytes"]}
    assert one["gzip_bytes"] < 50
    assert sizes([]) == {"bytes": 0, "gzip_bytes": 0}
