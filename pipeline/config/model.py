"""The recommender: an encoder of histories and the item tables around it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.base import Section
from pipeline.config.event_features import EventFeaturesConfig
from pipeline.config.item_table import DenseTableConfig, ElasticTableConfig, ItemTableConfig


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


class GruConfig(Section):
    """A gated recurrent unit over the history."""

    name: Literal["gru"] = "gru"
    units: int = Field(64, ge=1, le=1024, description="width of the state")


class HstuConfig(Section):
    """Attention without a softmax, gated: hierarchical sequential transduction units."""

    name: Literal["hstu"] = "hstu"
    layers: int = Field(2, ge=1, le=16)
    heads: int = Field(2, ge=1, le=64, description="parts of model.dim that attend separately")
    time_buckets: int = Field(
        0,
        ge=0,
        le=1024,
        description=(
            "weights of the time from an event to the moment predicted for, by its logarithm; "
            "0: times are not read"
        ),
    )


class LstmConfig(Section):
    """A long short-term memory over the history."""

    name: Literal["lstm"] = "lstm"
    units: int = Field(64, ge=1, le=1024, description="width of the state")


class LruConfig(Section):
    """Linear recurrent units, each followed by a feed-forward part."""

    name: Literal["lru"] = "lru"
    layers: int = Field(2, ge=1, le=16, description="recurrences")
    expand: int = Field(2, ge=1, le=16, description="complex channels of a state, in model.dim")
    feed_forward: int = Field(4, ge=1, le=16, description="width inside, in model.dim")


class MixerConfig(Section):
    """Learned weights of distances instead of attention, gated."""

    name: Literal["mixer"] = "mixer"
    blocks: int = Field(2, ge=1, le=16)
    heads: int = Field(4, ge=1, le=64, description="sets of weights; must divide model.dim")
    feed_forward: int | None = Field(
        None, ge=1, description="width of the feature part; null: twice model.dim"
    )
    attention_blocks: int = Field(
        0, ge=0, description="blocks at the end that weigh events by what they are too: attention"
    )
    shared_weights: bool = Field(
        False, description="one set of weights for all blocks, but for the mixing of events"
    )

    @model_validator(mode="after")
    def _attention_is_in_blocks(self) -> MixerConfig:
        if self.attention_blocks > self.blocks:
            raise ValueError(f"attention_blocks {self.attention_blocks} of {self.blocks} blocks")
        return self


class TransformerConfig(Section):
    """Causal self-attention over the history: SASRec."""

    name: Literal["transformer"] = "transformer"
    layers: int = Field(2, ge=1, le=12, description="blocks")
    heads: int = Field(1, ge=1, le=64, description="parts of model.dim that attend separately")
    feed_forward: int | None = Field(
        None, ge=1, le=4096, description="width of the feed-forward part; null: model.dim"
    )
    positions: Literal["from_last", "from_first"] = Field(
        "from_last", description="end of the history that learned positions are counted from"
    )


EncoderConfig = Annotated[
    BowConfig
    | CnnConfig
    | GruConfig
    | HstuConfig
    | LruConfig
    | LstmConfig
    | MixerConfig
    | TransformerConfig,
    Field(discriminator="name"),
]


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


class RatingHeadConfig(Section):
    """Training predicts the stars of the next movie beside the movie itself; it does not ship."""

    weight: float = Field(0.1, gt=0, description="of the squared error in stars, beside the loss")


class UserFeaturesConfig(Section):
    """What is known of the user: learned vectors added to the item vector of every event.

    Off for privacy: an app with a model that reads them should ask its users. Not known is always
    an answer. ML-1M tells all three, ML-100K too (not all of its occupations), other releases none.
    """

    gender: bool = Field(False, description="female, male")
    age: bool = Field(False, description="seven groups")
    occupation: bool = Field(False, description="the 21 of ML-1M")

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of what is read, see `modules.user_attributes`."""
        return tuple(f"user_{name}" for name, reads in self if reads)


class ModelConfig(Section):
    """Item tables, encoder and scoring."""

    encoder: EncoderConfig = LstmConfig()
    dim: int = Field(64, ge=1, le=1024, description="width of the encoder")
    item_table: ItemTableConfig = DenseTableConfig()
    initial_std: float = Field(
        0.02,
        gt=0,
        description=(
            "standard deviation of a new item vector's values; with cosine scores the directions "
            "of short rows turn fast at first, and slower as rows grow"
        ),
    )
    tied: bool = Field(True, description="score with the input item table instead of a second one")
    item_bias: bool = Field(False, description="add a learned number a movie to its score")
    item_features: ItemFeaturesConfig = ItemFeaturesConfig()
    dropout: float = Field(0.2, ge=0, lt=1, description="share of values dropped in training")
    scoring: Literal["dot", "cosine"] = Field("dot", description="context with item vector")
    cosine_scale: float = Field(20.0, gt=0, description="cosine: factor before the softmax")
    event_features: EventFeaturesConfig = EventFeaturesConfig()
    user_features: UserFeaturesConfig = UserFeaturesConfig()
    rating_head: RatingHeadConfig | None = None

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> ModelConfig:
        heads = getattr(self.encoder, "heads", 1)
        if self.dim % heads:
            raise ValueError(f"dim {self.dim} does not split into {heads} heads of equal width")
        return self

    @model_validator(mode="after")
    def _features_join_rows(self) -> ModelConfig:
        if self.item_features.any and self.item_table.name != "dense":
            raise ValueError(
                f"item_features are added to rows, and a table {self.item_table.name} has none: "
                "set item_table to dense"
            )
        return self

    @model_validator(mode="after")
    def _elastic_tables_fit(self) -> ModelConfig:
        table = self.item_table
        if not isinstance(table, ElasticTableConfig):
            return self
        width = table.width or self.dim
        if width % table.blocks:
            raise ValueError(
                f"item_table.blocks: {table.blocks} equal blocks do not make a width of {width}"
            )
        columns = width // table.blocks
        if table.bits is not None and columns * table.bits % 8:
            raise ValueError(
                f"item_table.blocks: of {table.blocks} blocks each has {columns} columns of "
                f"{table.bits} bits, which fill no whole bytes, and devices look up no others: "
                "set fewer blocks, another width or more bits"
            )
        if not self.tied:
            raise ValueError("a table elastic is cut for look-ups and scores alike: set tied: true")
        return self

    @property
    def reads_rating(self) -> bool:
        """Whether the ratings of the history are read."""
        return self.event_features.rating

    @property
    def reads_time(self) -> bool:
        """Whether the times of the history are read."""
        return self.event_features.reads_time or self._encoder_reads_time

    @property
    def reads_request_time(self) -> bool:
        """Whether the moment that is predicted for is read."""
        return self.event_features.age or self._encoder_reads_time

    @property
    def _encoder_reads_time(self) -> bool:
        # The name that encoders of relative time give to this setting; 0 = none.
        return getattr(self.encoder, "time_buckets", 0) > 0
