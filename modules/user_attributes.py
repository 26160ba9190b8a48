"""What a release may say about a user, as categories that a model can learn from.

The categories are those of MovieLens 1M, so that an id means the same in every model. Id 0 is "not
known": what a release does not tell, or what is none of the categories, such as those occupations
of MovieLens 100K that 1M does not have.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from modules import features

GENDERS = ("F", "M")

AGE_GROUPS = (1, 18, 25, 35, 45, 50, 56)
"""Years at which a group starts; the first is "under 18", the last "56 and more"."""

OCCUPATIONS = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student",
    "customer service", "doctor/health care", "executive/managerial", "farmer", "homemaker",
    "K-12 student", "lawyer", "programmer", "retired", "sales/marketing", "scientist",
    "self-employed", "technician/engineer", "tradesman/craftsman", "unemployed", "writer",
)  # fmt: skip
"""By the release's own codes, which count from 0."""

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    features.USER_GENDER: GENDERS,
    features.USER_AGE: (
        *(f"{start} to {after - 1}" for start, after in itertools.pairwise(AGE_GROUPS)),
        f"{AGE_GROUPS[-1]} and more",
    ),
    features.USER_OCCUPATION: OCCUPATIONS,
}
"""Words of each attribute; entry i has id i + 1."""

ATTRIBUTES = tuple(CATEGORIES)
"""The order in which arrays hold them."""


def id_feature(attribute: str) -> str:
    """Returns the feature of windows that holds an attribute's id."""
    return f"{attribute}_id"


ID_FEATURES = tuple(id_feature(attribute) for attribute in ATTRIBUTES)


def category_id(attribute: str, value: str | int | None) -> int:
    """Returns the id of what a release says, 0 where it is none of the categories.

    Args:
        attribute: One of `ATTRIBUTES`.
        value: A word; of the age, years; None where the release does not tell.
    """
    if value is None:
        return 0
    if attribute == features.USER_AGE:
        return sum(int(value) >= start for start in AGE_GROUPS)
    words = CATEGORIES[attribute]
    return words.index(str(value)) + 1 if value in words else 0
