"""Typed access to JSON objects, with errors that name file and key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pocketrec_device.errors import BundleError


class Reader:
    """A JSON object.

    Attributes:
        raw: The object.
        source: The file's path, for messages.
    """

    def __init__(self, raw: Mapping[str, Any], source: str, prefix: str = "") -> None:
        self.raw = raw
        self.source = source
        self._prefix = prefix

    def section(self, key: str) -> Reader:
        """Returns the object under a key."""
        value = self._typed(key, dict, "an object")
        return Reader(value, self.source, f"{self._prefix}{key}.")

    def objects(self, key: str) -> list[Reader]:
        """Returns the list of objects under a key."""
        values = self._typed(key, list, "a list")
        readers = []
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                raise BundleError(f"{self.source}: {self._prefix}{key}[{index}] must be an object")
            readers.append(Reader(value, self.source, f"{self._prefix}{key}[{index}]."))
        return readers

    def text(self, key: str) -> str:
        """Returns the string under a key."""
        value: str = self._typed(key, str, "a string")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Returns the list of strings under a key."""
        values = self._typed(key, list, "a list")
        if not all(isinstance(value, str) for value in values):
            raise BundleError(f"{self.source}: {self._prefix}{key} must hold strings alone")
        return tuple(values)

    def integer(self, key: str, *, minimum: int) -> int:
        """Returns the integer under a key, at least `minimum`."""
        value: int = self._typed(key, int, "an integer")
        if isinstance(value, bool) or value < minimum:
            raise BundleError(
                f"{self.source}: {self._prefix}{key} is {value!r}, must be at least {minimum}"
            )
        return value

    def number(self, key: str) -> float:
        """Returns the number under a key."""
        return float(self._typed(key, (int, float), "a number"))

    def optional_number(self, key: str) -> float | None:
        """Returns the number under a key, None where that is null or missing."""
        return None if self.raw.get(key) is None else self.number(key)

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """Returns the string under a key, one of `allowed`."""
        value = self.text(key)
        if value not in allowed:
            raise BundleError(
                f"{self.source}: {self._prefix}{key} is {value!r}, must be one of {allowed}"
            )
        return value

    def expect(self, key: str, expected: object) -> None:
        """Raises `BundleError` where a key holds anything but `expected`."""
        value = self.raw.get(key)
        if value != expected:
            raise BundleError(
                f"{self.source}: {self._prefix}{key} is {value!r}; this runtime understands "
                f"{expected!r}: use a runtime as new as the bundle"
            )

    def _typed(self, key: str, kind: type | tuple[type, ...], described: str) -> Any:
        if key not in self.raw:
            raise BundleError(f"{self.source}: {self._prefix}{key} is missing")
        value = self.raw[key]
        if not isinstance(value, kind):
            raise BundleError(
                f"{self.source}: {self._prefix}{key} is {value!r}, must be {described}"
            )
        return value
