"""Files that go with a model beside its variants, from the SavedModel to the bundle."""

from __future__ import annotations

import posixpath
from pathlib import Path

from modules.models.item_tables.elastic_groups import AFFINITIES_FILE
from modules.models.item_tables.elastic_master import FILE

NAMES = (FILE, AFFINITIES_FILE)
"""The files that there may be."""

# Of a SavedModel, see `modules.models.serving`.
_FOLDER = "assets.extra"


def hand_on_assets(saved_model: str, uri: str) -> None:
    """Copies the files from a SavedModel to the converter's artifact.

    Args:
        saved_model: The SavedModel's folder.
        uri: The artifact's.
    """
    from tfx.dsl.io import fileio

    for name in NAMES:
        source = posixpath.join(saved_model, _FOLDER, name)
        if fileio.exists(source):
            fileio.copy(source, posixpath.join(uri, name))


def read_assets(model_dir: Path) -> dict[str, bytes]:
    """Returns the files in a converter's artifact, by name."""
    return {name: (model_dir / name).read_bytes() for name in NAMES if (model_dir / name).is_file()}
