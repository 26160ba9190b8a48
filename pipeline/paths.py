"""Paths as people read them."""

from __future__ import annotations

from pathlib import Path


def from_here(path: Path) -> Path:
    """Returns a path as short as it can be written in the current folder.

    Not resolved: a virtual environment's Python is a link to another one.
    """
    absolute, here = path.absolute(), Path.cwd()
    return absolute.relative_to(here) if here in absolute.parents else absolute
