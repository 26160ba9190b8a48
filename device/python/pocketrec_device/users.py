"""What an app knows of its user: gender, age group, occupation, as the model's categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral

from pocketrec_device.errors import HistoryError
from pocketrec_device.manifest import UNKNOWN, USER_INPUTS


def user_ids(
    user: Mapping[str, str | int | None], categories: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    """Translates what is known of a user.

    Args:
        user: By input name; one of the manifest's words, its number from 1, or None where not
            known.
        categories: The words of each input that the model reads.

    Returns:
        Numbers of the categories by input name, 0 where not known; what the model does not read is
        left out.

    Raises:
        HistoryError: There is no such input, or it has no such category.
    """
    for name in user:
        if name not in USER_INPUTS:
            raise HistoryError(f"user[{name!r}]: there is no such input; {list(USER_INPUTS)} are")
    return {
        name: _number(f"user[{name!r}]", user.get(name), words)
        for name, words in categories.items()
    }


def _number(name: str, value: str | int | None, words: Sequence[str]) -> int:
    if value is None:
        return UNKNOWN
    if isinstance(value, str) and value in words:
        return words.index(value) + 1
    numbered = isinstance(value, Integral) and not isinstance(value, bool)
    if numbered and 0 <= int(value) <= len(words):
        return int(value)
    raise HistoryError(
        f"{name} is {value!r}; must be one of {list(words)}, or its number from 1, or None where "
        "not known"
    )
