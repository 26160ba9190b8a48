"""Spans: releases that hold what came in since the one before, found by a pattern of their paths.

The words are TFX's: `{SPAN}` is a whole number, `{YYYY}`, `{MM}` and `{DD}` together are a date,
which counts days since 1970, and `{VERSION}` numbers the attempts at a span, of which the newest
counts. `{SPAN:3}` and `{VERSION:3}` are filled up with zeros to three digits. Names that do not
match, such as those of uploads under way, are no spans.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterator, Mapping

from components.movielens_example_gen import storage
from pipeline.config.spans import SpansConfig, has_spans
from pipeline.errors import DataError

_WORD = re.compile(r"\{(SPAN|VERSION)(?::([^}]*))?\}|\{(YYYY|MM|DD)\}")
_DATE = {"YYYY": r"\d{4}", "MM": r"\d{2}", "DD": r"\d{2}"}
_EPOCH = datetime.date(1970, 1, 1)


@dataclasses.dataclass(frozen=True, order=True)
class Span:
    """One span.

    Attributes:
        number: Which; days since 1970 where the pattern has a date.
        version: Which attempt at it; None where the pattern has no `{VERSION}`.
        source: Folder or `.zip` of the release.
    """

    number: int
    version: int | None
    source: str

    def __str__(self) -> str:
        return f"{self.number}" if self.version is None else f"{self.number}/v{self.version}"


def check_pattern(pattern: str) -> None:
    """Checks that a pattern says which span a path belongs to.

    Raises:
        DataError: It does not.
    """
    words = [match.group(1) or match.group(3) for match in _WORD.finditer(pattern)]
    dates = [word for word in words if word in _DATE]
    reason = ""
    if len(set(words)) < len(words):
        reason = "each placeholder may stand in it once"
    elif dates and len(dates) < len(_DATE):
        reason = "a date takes all of {YYYY}, {MM} and {DD}"
    elif bool(dates) == ("SPAN" in words):
        reason = "it takes either {SPAN} or a date, {YYYY}{MM}{DD}"
    for match in _WORD.finditer(pattern):
        width = match.group(2)
        if width is not None and not (width.isdigit() and int(width) > 0):
            reason = f"the width in {match.group(0)} must be a whole number above 0"
    if reason:
        raise DataError(f"{pattern}: is no pattern of spans: {reason}")


def find_spans(pattern: str) -> tuple[Span, ...]:
    """Finds all spans, each with its newest version, by ascending number.

    Args:
        pattern: Of folders or `.zip` files; a local path or an address.

    Raises:
        DataError: The pattern is none, there is no span, or two paths are the same span.
    """
    check_pattern(pattern)
    newest: dict[int, Span] = {}
    for source, words in _matches(pattern):
        number = _number(words)
        if number is None:
            continue
        version = int(words["VERSION"]) if "VERSION" in words else None
        span, known = Span(number, version, source), newest.get(number)
        if known is not None and known.version == version:
            first, second = sorted((known.source, source))
            raise DataError(f"{first} and {second} are the same span ({span}): remove one")
        if known is None or (known.version or 0) < (version or 0):
            newest[number] = span
    if not newest:
        raise DataError(f"{pattern}: there is no span: no folder or .zip file has such a path")
    return tuple(newest[number] for number in sorted(newest))


def select_spans(
    dataset: str, config: SpansConfig, *, newest: int | None = None, version: int | None = None
) -> tuple[Span, ...]:
    """Chooses the spans that a run reads, oldest first.

    Args:
        dataset: A pattern, or the path of one release, which is the only span then, number 0.
        config: Which are wanted.
        newest: The newest one, where it has been chosen before.
        version: Likewise its version.

    Raises:
        DataError: There is no such span.
    """
    if not has_spans(dataset):
        return (Span(0, None, dataset),)
    found = find_spans(dataset)
    last = config.newest if newest is None else newest
    chosen = [span for span in found if last is None or span.number <= last]
    if last is not None and (not chosen or chosen[-1].number != last):
        there = ", ".join(str(span) for span in found)
        raise DataError(
            f"{dataset}: there is no span {last}, which data.spans.newest asks for; there are: "
            f"{there}"
        )
    if version is not None and chosen[-1].version != version:
        chosen[-1] = _of_version(dataset, chosen[-1].number, version)
    return tuple(chosen if config.window is None else chosen[-config.window :])


def _of_version(pattern: str, number: int, version: int) -> Span:
    for source, words in _matches(pattern):
        if _number(words) == number and int(words["VERSION"]) == version:
            return Span(number, version, source)
    raise DataError(f"{pattern}: version {version} of span {number} is gone")


def _matches(pattern: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields paths that match, each with what its placeholders stand for."""
    scheme, mark, rest = pattern.rpartition("://")
    parts = rest.rstrip("/").split("/")
    plain = next(at for at, part in enumerate(parts) if _WORD.search(part))
    base = scheme + mark + "/".join(parts[:plain])
    if not base:
        base = "/" if rest.startswith("/") else "."
    found: list[tuple[str, dict[str, str]]] = [(base, {})]
    for part in parts[plain:]:
        shape = re.compile(_shape(part))
        found = [
            (storage.join(folder, name), {**words, **match.groupdict()})
            for folder, words in found
            if storage.is_folder(folder)
            for name in storage.list_folder(folder)
            if (match := shape.fullmatch(name))
        ]
    yield from found


def _shape(part: str) -> str:
    """Returns the regular expression of one part of a path."""
    shape, at = "", 0
    for match in _WORD.finditer(part):
        word = match.group(1) or match.group(3)
        width = match.group(2)
        digits = _DATE.get(word) or (rf"\d{{{width}}}" if width else r"\d+")
        shape += re.escape(part[at : match.start()]) + f"(?P<{word}>{digits})"
        at = match.end()
    return shape + re.escape(part[at:])


def _number(words: Mapping[str, str]) -> int | None:
    """Returns the number of a span; None for a date that is none, as 20260231."""
    if "SPAN" in words:
        return int(words["SPAN"])
    try:
        date = datetime.date(int(words["YYYY"]), int(words["MM"]), int(words["DD"]))
    except ValueError:
        return None
    return (date - _EPOCH).days
