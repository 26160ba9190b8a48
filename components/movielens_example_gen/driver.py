"""Tells TFX whether the release changed: a fingerprint of the content, not of dates."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from tfx.components.example_gen import driver, input_processor
from tfx.proto import example_gen_pb2, range_config_pb2

from components.movielens_example_gen import storage
from components.movielens_example_gen.formats import detect
from pipeline.errors import DataError


class ReleaseInputProcessor(input_processor.FileBasedInputProcessor):
    """Fingerprints the files that would be read, wherever below the folder they are.

    TFX's own takes size and whole-second date of the files directly in the folder: a release in a
    subfolder, or one edited within the second, would be served from the cache.
    """

    def __init__(
        self,
        input_base: str,
        splits: Iterable[example_gen_pb2.Input.Split],
        range_config: range_config_pb2.RangeConfig | None = None,
    ) -> None:
        listed = list(splits)
        super().__init__(input_base, listed, range_config)
        self._source = source_of(input_base, listed[0].pattern)

    def resolve_span_and_version(self) -> tuple[int, int | None]:
        """A release has neither span nor version."""
        return 0, None

    def get_input_fingerprint(self, span: int, version: int | None) -> str:  # noqa: ARG002
        """SHA-256 over the files' sizes and bytes."""
        return fingerprint(self._source)


class Driver(driver.FileBasedDriver):
    """TFX's driver of file-based ExampleGens, with another fingerprint."""

    def get_input_processor(
        self,
        splits: Iterable[example_gen_pb2.Input.Split],
        range_config: range_config_pb2.RangeConfig | None = None,
        input_base_uri: str | None = None,
    ) -> ReleaseInputProcessor:
        """Returns the processor that fingerprints the release."""
        if not input_base_uri:
            raise DataError("MovieLensExampleGen: input_base is empty; give a folder or a .zip")
        return ReleaseInputProcessor(input_base_uri, splits, range_config)


def source_of(input_base: str, pattern: str) -> str:
    """The folder or zip file that the exec properties mean.

    TFX's file-based drivers look for `pattern` in the folder `input_base`, so a zip file travels as
    its folder and its name, and a folder as itself and `*`.
    """
    return input_base if pattern == "*" else storage.join(input_base, pattern)


def fingerprint(source: str) -> str:
    """Identifies the content of a release.

    Args:
        source: A folder, or a `.zip` file.

    Raises:
        DataError: There is no release.
    """
    if source.lower().endswith(".zip"):
        if not storage.exists(source):
            raise DataError(f"{source}: no such file; give the folder or the .zip of a release")
        files: tuple[str, ...] = (source,)
    else:
        files = detect(source).files
    digest = hashlib.sha256()
    for path in files:
        digest.update(storage.size_of(path).to_bytes(8, "little"))
        with storage.open_binary(path) as file:
            while block := file.read(1 << 24):
                digest.update(block)
    return f"files:{len(files)},sha256:{digest.hexdigest()}"
