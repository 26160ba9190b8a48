"""An ingest that reads nothing; TFX reads its annotations, which must not be text."""

import json
from pathlib import Path

from tfx import v1 as tfx
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts


@component
def Ingest(  # type: ignore[no-untyped-def]  # noqa: N802
    splits: tfx.dsl.components.Parameter[str],
    span: tfx.dsl.components.Parameter[int],
    examples: tfx.dsl.components.OutputArtifact[standard_artifacts.Examples],
):
    """Gives examples of a span, which is on them as TFX's drivers put it there."""
    Path(examples.uri).mkdir(parents=True, exist_ok=True)
    examples.split_names = splits
    examples.set_int_custom_property("span", span)
    assert json.loads(splits)
