"""Tells TFX which span is read, and whether it changed: a fingerprint of content, not of dates."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from tfx.components.example_gen import driver, utils
from tfx.orchestration import data_types
from tfx.types import standard_component_specs

from components.movielens_example_gen import storage
from components.movielens_example_gen.formats import detect
from components.movielens_example_gen.spans import Span, select_spans
from pipeline.config.data import DataConfig
from pipeline.config.spans import has_spans
from pipeline.errors import DataError


@dataclasses.dataclass(frozen=True)
class Given:
    """What there is to ingest.

    Attributes:
        span: Number of the newest span that is read; 0 where the data set has none.
        version: Its version, or None.
        fingerprint: Of all that is read.
    """

    span: int
    version: int | None
    fingerprint: str

    def as_properties(self) -> dict[str, Any]:
        """Returns the execution properties that TFX's drivers of ExampleGens set."""
        return {
            utils.SPAN_PROPERTY_NAME: self.span,
            utils.VERSION_PROPERTY_NAME: self.version,
            utils.FINGERPRINT_PROPERTY_NAME: self.fingerprint,
        }


class Driver(driver.FileBasedDriver):
    """TFX's driver of file-based ExampleGens, with our spans and another fingerprint.

    TFX's own takes size and whole-second date of the files directly in the newest span's folder: a
    release in a subfolder, or one edited within the second, would be served from the cache, and so
    would a renewed version of an earlier span.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,  # noqa: ARG002
        component_info: data_types.ComponentInfo,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Adds span, version and fingerprint.

        The span replaces `data.spans.newest`: the same span is the same examples, whether it was
        asked for or the newest there was.
        """
        exec_properties.update(look(exec_properties).as_properties())
        config = DataConfig.model_validate_json(exec_properties["config"])
        if config.spans.newest is not None:
            spans = config.spans.model_copy(update={"newest": None})
            exec_properties["config"] = config.model_copy(update={"spans": spans}).model_dump_json(
                exclude={"drift"}
            )
        return exec_properties


def look(exec_properties: Mapping[str, Any]) -> Given:
    """Looks at what an execution would read.

    Args:
        exec_properties: Those of `MovieLensExampleGenSpec`.

    Raises:
        DataError: There is no release, or no such span.
    """
    dataset = exec_properties[standard_component_specs.INPUT_BASE_KEY]
    spans = spans_of(exec_properties)
    if not has_spans(dataset):
        return Given(0, None, fingerprint(dataset))
    return Given(spans[-1].number, spans[-1].version, fingerprint_of_spans(spans))


def spans_of(exec_properties: Mapping[str, Any]) -> tuple[Span, ...]:
    """Returns the spans that an execution reads.

    Where a driver has chosen the newest span, that is the newest one, whatever came in since;
    open-source Kubeflow Pipelines runs no driver, and there it is looked for here.

    Raises:
        DataError: There is no such span.
    """
    dataset = exec_properties[standard_component_specs.INPUT_BASE_KEY]
    if not dataset:
        raise DataError("MovieLensExampleGen: input_base is empty; give a folder or a .zip")
    newest = exec_properties.get(utils.SPAN_PROPERTY_NAME)
    version = exec_properties.get(utils.VERSION_PROPERTY_NAME)
    return select_spans(
        dataset,
        DataConfig.model_validate_json(exec_properties["config"]).spans,
        # Numbers may arrive as doubles.
        newest=None if newest is None else int(newest),
        version=None if version is None else int(version),
    )


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


def fingerprint_of_spans(spans: Sequence[Span]) -> str:
    """Identifies spans and the content of each.

    Raises:
        DataError: One of them is no release.
    """
    told = "".join(f"{span} {fingerprint(span.source)}\n" for span in spans)
    return f"spans:{len(spans)},sha256:{hashlib.sha256(told.encode()).hexdigest()}"
