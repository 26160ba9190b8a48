"""What the whole suite shares."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Takes what all imports have made out of the garbage collector's sight.

    TensorFlow and TFX leave a million objects, which every collection would walk through, and so
    would pyarrow at every error that it raises: a quarter of a second each.
    """
    gc.collect()
    gc.freeze()
