"""Conversion, gate and registry: from a trained model to what ships."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.base import Section
from pipeline.config.budgets import budget_bytes, budget_name
from pipeline.registry import vertex_address

VariantName = Literal["float32", "float16", "int8", "int8_full", "int4"]
"""int8: weights; int8_full: activations too; int4: weights in 4 bits, activations as in int8."""

Share = Annotated[float, Field(ge=0, le=1)]


class ConversionConfig(Section):
    """TFLite variants."""

    variants: tuple[VariantName, ...] = ("float32", "float16", "int8", "int4")
    gated: VariantName = Field("int8", description="the variant that is evaluated and gated")
    budgets: tuple[str, ...] = Field(
        (),
        description=(
            "files of an elastic item table for these sizes, such as 64KB, judged like variants; "
            "`pocketrec slim` cuts others later"
        ),
    )
    gzip: bool = Field(
        False,
        description=(
            "ship models gzipped: fewer bytes to fetch and keep, the same model when it runs; "
            "budgets then count gzipped bytes"
        ),
    )
    top_k: int = Field(100, ge=1, le=1000, description="K: ids and scores the graph returns")
    timeout_seconds: float = Field(300, gt=0, description="for one variant's conversion")
    parity_windows: int = Field(
        2000, ge=1, description="eval windows for the comparison with the Keras model"
    )

    @field_validator("budgets", mode="before")
    @classmethod
    def _bytes_alone_are_a_size(cls, budgets: Any) -> Any:
        if not isinstance(budgets, list | tuple):
            return budgets
        return [str(size) if type(size) is int else size for size in budgets]

    @field_validator("budgets")
    @classmethod
    def _are_sizes(cls, budgets: tuple[str, ...]) -> tuple[str, ...]:
        names = [budget_name(budget_bytes(budget)) for budget in budgets]
        if len(set(names)) < len(names):
            raise ValueError(f"budgets must differ, got {list(budgets)}")
        return budgets

    @model_validator(mode="after")
    def _has_reference_and_gated(self) -> ConversionConfig:
        if "float32" not in self.variants:
            raise ValueError("variants must hold float32: the gate compares with it")
        if self.gated not in self.variants:
            raise ValueError(f"gated is {self.gated!r}, which is not among {self.variants}")
        return self


class GateConfig(Section):
    """Thresholds on the `test` split, absolute differences of recall@10 unless said otherwise."""

    min_recall_at_10: float = Field(0.0, ge=0, le=1, description="absolute floor")
    min_margin_over_popularity: float = Field(
        0.01, ge=0, le=1, description="over the better of the two popularity recommenders"
    )
    max_drop_from_blessed: float = Field(
        0.005, ge=0, le=1, description="below the latest blessed model on the same windows"
    )
    max_drop_from_float32: float = Field(
        0.005,
        ge=0,
        le=1,
        description="of the gated variant, below the float32 one on the same windows",
    )
    max_drop_of_variant: Mapping[str, Share] = Field(
        {},
        description=(
            "the same of the other variants by name, by default max_drop_from_float32; one that "
            "drops more is left out of the bundle"
        ),
    )
    min_catalogue_coverage: float = Field(
        0.01, ge=0, le=1, description="share of the catalogue that reaches some top-10"
    )
    popularity_window_days: int = Field(
        30, ge=1, description="days before the target that recent popularity counts"
    )
    ignore_blessed: bool = Field(
        False, description="do not compare with the latest blessed model (it cannot be read, say)"
    )

    def max_drop_of(self, variant: str) -> float:
        """Returns how far a variant's recall@10 may lie below that of float32."""
        return self.max_drop_of_variant.get(variant, self.max_drop_from_float32)


class RegistryConfig(Section):
    """The model registry."""

    model_name: str = Field("pocketrec", pattern=r"^[A-Za-z0-9_.-]+$")
    tracking_uri: str | None = Field(
        None,
        description=(
            "MLflow tracking URI, or vertex://PROJECT/REGION for Vertex AI's Model Registry; "
            "null: sqlite in the workspace"
        ),
    )
    artifact_root: str | None = Field(
        None,
        min_length=1,
        description=(
            "folder of the bundles; Vertex AI: gs://BUCKET/FOLDER; null: in the workspace, or "
            "below the pipeline root"
        ),
    )
    container_image: str | None = Field(
        None,
        min_length=1,
        description=("image that Vertex AI wants with a model's files; null: the steps' own image"),
    )

    @model_validator(mode="after")
    def _suits_vertex(self) -> RegistryConfig:
        if self.tracking_uri is not None and vertex_address.is_vertex(self.tracking_uri):
            vertex_address.VertexAddress.parse(self.tracking_uri)
            vertex_address.check_model_name(self.model_name)
            if self.artifact_root is not None:
                vertex_address.check_artifact_root(self.artifact_root)
        return self
