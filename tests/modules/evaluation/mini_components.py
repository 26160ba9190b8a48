"""The shortest train, convert, judge; TFX reads their annotations, which must not be text."""

from pathlib import Path

from tfx import v1 as tfx
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts


@component
def Train(  # type: ignore[no-untyped-def]  # noqa: N802
    version: tfx.dsl.components.Parameter[str],
    model: tfx.dsl.components.OutputArtifact[standard_artifacts.Model],
):
    Path(model.uri, "version").write_text(version)


@component
def Convert(  # type: ignore[no-untyped-def]  # noqa: N802
    trained: tfx.dsl.components.InputArtifact[standard_artifacts.Model],
    model: tfx.dsl.components.OutputArtifact[standard_artifacts.Model],
):
    Path(model.uri, "version").write_text(Path(trained.uri, "version").read_text())


@component
def Judge(  # type: ignore[no-untyped-def]  # noqa: N802
    candidate: tfx.dsl.components.InputArtifact[standard_artifacts.Model],
    blessing: tfx.dsl.components.OutputArtifact[standard_artifacts.ModelBlessing],
    blessed: tfx.dsl.components.InputArtifact[standard_artifacts.Model] = None,
):
    version = Path(candidate.uri, "version").read_text()
    before = Path(blessed.uri, "version").read_text() if blessed else "nothing"
    Path(blessing.uri, "compared").write_text(f"{version} with {before}")
    blessing.set_int_custom_property("current_model_id", candidate.id)
    blessing.set_int_custom_property("blessed", int("bad" not in version))
