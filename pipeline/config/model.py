"""The recommender: an encoder of histories and the item tables around it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.base import Section


class BowConfig(Section):
    """Bag of words: the mean of the history's item vectors, then dense layers."""

    name: Literal["bow"] = "bow"
    hidden: tuple[int, ...] = Field((), description="widths of dense layers after the mean")


class CnnConfig(Section):
    """Causal convolutions over the history."""

    name: Literal["cnn"] = "cnn"
    layers: int = Field(3, ge=1, le=12, description="convolutions")
    kernel: int = Field(3, ge=2, le=64, description="events each convolution sees")
    dilation_base: int = Field(2, ge=1, le=8, description="dilation grows by this factor a layer")


class LstmConfig(Section):
    """A long short-term memory over the history."""

    name: Literal["lstm"] = "lstm"
    units: int = Field(64, ge=1, le=1024, description="width of the state")


EncoderConfig = Annotated[BowConfig | CnnConfig | LstmConfig, Field(discriminator="name")]


class ItemFeaturesConfig(Section):
    """What the catalogue says about a movie, added up in its row of the item table.

    A device never sees them: an export keeps the sums, at no byte and no time.
    """

    genres: bool = Field(False, description="a learned vector a genre; their mean joins the row")
    year: bool = Field(False, description="a learned vector a span of five years")

    @property
    def any(self) -> bool:
        """Whether the catalogue is read."""
        return self.genres or self.year


class ModelConfig(Section):
    """Item tables, encoder and scoring."""

    encoder: EncoderConfig = LstmConfig()
    dim: int = Field(64, ge=1, le=1024, description="width of an item vector")
    tied: bool = Field(True, description="score with the input item table instead of a second one")
    item_bias: bool = Field(False, description="add a learned number a movie to its score")
    item_features: ItemFeaturesConfig = ItemFeaturesConfig()
    dropout: float = Field(0.2, ge=0, lt=1, description="share of values dropped in training")
    scoring: Literal["dot", "cosine"] = Field("dot", description="context with item vector")
    cosine_scale: float = Field(20.0, gt=0, description="cosine: factor before the softmax")
