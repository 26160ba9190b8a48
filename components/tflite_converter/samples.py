"""Some windows that a model is asked with, as a file that child processes read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = Mapping[str, npt.NDArray[Any]]
"""What a model reads, by the name of the input: [windows, ...], of the input's type."""


def write_samples(path: Path, samples: Samples) -> Path:
    """Writes samples; returns the path."""
    np.savez(path, **samples)
    return path


def read_samples(path: Path) -> Samples:
    """Reads what `write_samples` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
