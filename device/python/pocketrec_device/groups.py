"""Which group of users a history belongs to, told on the device: nothing of it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pocketrec_device.bundle import Bundle
from pocketrec_device.errors import BundleError


def group_of(bundle: Bundle, movie_ids: Iterable[int]) -> int:
    """Returns the group of a user, from 1.

    Each movie has an affinity with each group; those of the history add up. Of equal sums the first
    group is taken, and so it is for an empty history.

    Args:
        bundle: With a section `groups` in its manifest.
        movie_ids: The release's ids of what the user watched; unknown ones count for nothing.

    Raises:
        BundleError: The bundle knows no groups, or its file is not what the manifest says.
    """
    told = _groups(bundle)
    rows, count = len(bundle.movies) + 1, int(told["count"])
    content = bundle.read(str(told["file"]))
    if len(content) != rows * count:
        raise BundleError(
            f"{bundle.path}/{told['file']}: {len(content)} bytes, {rows} movies and {count} groups "
            "make another number"
        )
    affinities = np.frombuffer(content, np.int8).reshape(rows, count)
    ids = (bundle.vocabulary_id(movie_id) for movie_id in movie_ids)
    known = np.fromiter(ids, np.intp)
    return 1 + int(np.argmax(affinities[known].sum(axis=0, dtype=np.int64)))


def variant_of_group(bundle: Bundle, group: int) -> str:
    """Returns the variant that a bundle made by `pocketrec slim --group all` has for a group.

    Raises:
        BundleError: It has none for this group.
    """
    slim = bundle.manifest.raw.get("slim", {}).get("variants", {})
    for name, entry in slim.items():
        if entry.get("group") == group and name in bundle.manifest.variants:
            return str(name)
    raise BundleError(f"{bundle.path}: no variant of group {group}")


def _groups(bundle: Bundle) -> Mapping[str, Any]:
    told = bundle.manifest.raw.get("groups")
    if not isinstance(told, dict) or not {"count", "file"} <= set(told):
        raise BundleError(f"{bundle.path}: the model knows no groups of users")
    return told
