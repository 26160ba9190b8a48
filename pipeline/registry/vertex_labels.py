"""Tags of a version as labels of Vertex AI, and back.

A label's value has at most 63 lower case letters, digits, dashes and underscores. Any other
character of a tag is written as the two hexadecimal digits of its UTF-8 bytes, each behind an
underscore, as an address does behind a percent sign: `0.25` is `0_2e25`. What is longer goes on in
`KEY--2`, `KEY--3` and so on. So labels can be searched for, and nothing of a tag is lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipeline.errors import RegistryError

MOST_LABELS = 64
_LONGEST = 63
# Keys that leave room for the number of a further part, and cannot be taken for one.
_KEY = re.compile(r"[a-z][a-z0-9_]{0,58}")
_FURTHER_PART = re.compile(r"(?P<key>.+)--(?P<number>[1-9]\d*)")
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-")
_ESCAPED = re.compile(rb"_([0-9a-f]{2})")


def to_labels(tags: Mapping[str, str]) -> dict[str, str]:
    """Returns the labels for the tags whose names can be keys; the others are left out.

    Raises:
        RegistryError: They need more labels than a version may have.
    """
    labels = {}
    for name, value in tags.items():
        if not _KEY.fullmatch(name):
            continue
        text = _encode(value)
        parts = [text[start : start + _LONGEST] for start in range(0, len(text), _LONGEST)]
        for number, part in enumerate(parts or [""], start=1):
            labels[name if number == 1 else f"{name}--{number}"] = part
    if len(labels) > MOST_LABELS:
        longest = max(tags, key=lambda name: len(tags[name]))
        raise RegistryError(
            f"the version's tags take {len(labels)} labels, Vertex AI allows {MOST_LABELS}; "
            f"shorten the longest, {longest!r} ({len(tags[longest])} characters)"
        )
    return labels


def from_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Returns the tags that labels stand for, by name; labels of others come as they are."""
    parts: dict[str, list[tuple[int, str]]] = {}
    for label, text in labels.items():
        further = _FURTHER_PART.fullmatch(label)
        if further and further["key"] in labels:
            parts.setdefault(further["key"], []).append((int(further["number"]), text))
        else:
            parts.setdefault(label, []).append((1, text))
    return {
        name: _decode("".join(text for _, text in sorted(texts)))
        for name, texts in sorted(parts.items())
    }


def _encode(value: str) -> str:
    return "".join(
        chr(byte) if byte in _PLAIN else f"_{byte:02x}" for byte in value.encode("utf-8")
    )


def _decode(text: str) -> str:
    decoded = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text.encode("utf-8"))
    try:
        return decoded.decode("utf-8")
    except UnicodeDecodeError:
        return text
