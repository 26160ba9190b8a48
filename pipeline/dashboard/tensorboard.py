"""TensorBoard over the training logs: `python -m pipeline.dashboard.tensorboard --logdir ...`.

TensorBoard's own command looks up plugins and compares versions through `pkg_resources`, which
setuptools no longer brings. Here others do that in its place; everything else is TensorBoard's.
"""

from __future__ import annotations

import importlib.metadata
import sys
import types
from typing import Any

import packaging.version


class _Plugin:
    """An entry point as `pkg_resources` has it: `resolve` instead of `load`."""

    def __init__(self, entry_point: importlib.metadata.EntryPoint):
        self.resolve = entry_point.load


def _iter_entry_points(group: str) -> list[_Plugin]:
    return [_Plugin(found) for found in importlib.metadata.entry_points(group=group)]


def main() -> None:
    """Runs TensorBoard with the arguments of the command line until it is stopped."""
    stand_in: Any = types.ModuleType("pkg_resources")
    stand_in.iter_entry_points = _iter_entry_points
    stand_in.parse_version = packaging.version.parse
    sys.modules.setdefault("pkg_resources", stand_in)

    from tensorboard.main import run_main  # type: ignore[import-untyped]

    run_main()


if __name__ == "__main__":
    main()
