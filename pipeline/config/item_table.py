"""How the vectors of movies are kept: the largest part of a model that ships."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.config.base import Section

Bits = Literal[2, 4, 8]
Composition = Literal["product", "additive"]


class _TableConfig(Section):
    """What all kinds of tables have."""

    width: int | None = Field(
        None,
        ge=1,
        le=1024,
        description=(
            "of a row; null: model.dim. Another width is brought to model.dim and back by one "
            "learned matrix each, so that a narrow table can serve a wide encoder"
        ),
    )
    bits: Bits | None = Field(
        None,
        description=(
            "of a stored number, which training then rounds as a device will; null: training "
            "rounds nothing, and each variant stores what its name says"
        ),
    )

    def row_width(self, dim: int) -> int:
        """Returns the width of a row.

        Args:
            dim: Of the encoder.
        """
        return self.width or dim


class BandConfig(Section):
    """Columns of a table that are stored alike."""

    width: int = Field(ge=1, le=1024, description="columns")
    bits: Bits = Field(description="of a stored number")
    movies: int | None = Field(
        None,
        ge=1,
        description=(
            "most popular movies that have numbers there, null: all; others have zeros, which take "
            "no bytes"
        ),
    )


class DenseTableConfig(_TableConfig):
    """A row of its own for every movie."""

    name: Literal["dense"] = "dense"
    bands: tuple[BandConfig, ...] | None = Field(
        None,
        min_length=1,
        description=(
            "columns with bits and a step of their own, in the place of `width` and `bits`: rows "
            "that begin with a teacher's say most in the first columns, and need more bits there"
        ),
    )
    stored_bits: Literal[4] | None = Field(
        None,
        description=(
            "4: numbers of 2 bits are stored in 4, in which a large catalogue is scored in less "
            "than half the time; with conversion.gzip the file ships hardly larger. null: in 2"
        ),
    )

    @model_validator(mode="after")
    def _only_two_bits_are_stored_in_more(self) -> DenseTableConfig:
        bits = {self.bits} if self.bands is None else {band.bits for band in self.bands}
        if self.stored_bits is not None and 2 not in bits:
            raise ValueError(
                f"stored_bits {self.stored_bits} is for numbers of 2 bits, and there are none: set "
                "it to null, or bits to 2"
            )
        return self

    @model_validator(mode="after")
    def _bands_say_it_all(self) -> DenseTableConfig:
        if self.bands is not None and (self.width is not None or self.bits is not None):
            raise ValueError("bands have width and bits of their own: set width and bits to null")
        if self.bands is not None and self.bands[0].movies is not None:
            raise ValueError("the first band must hold all movies: set its movies to null")
        return self

    @property
    def rounds(self) -> bool:
        """Whether training rounds the numbers."""
        return self.bits is not None or self.bands is not None

    def row_width(self, dim: int) -> int:
        """See `_TableConfig.row_width`."""
        if self.bands is None:
            return super().row_width(dim)
        return sum(band.width for band in self.bands)


class CodebooksTableConfig(_TableConfig):
    """Codes of one byte instead of rows, and codebooks of centroids that they stand for."""

    name: Literal["codebooks"] = "codebooks"
    bits: Bits | None = Field(
        8,
        description=(
            "of a stored number of the centroids, see other tables; they are few, and with 4 bits "
            "a variant loses more recall than bytes"
        ),
    )
    composition: Composition = Field(
        "product",
        description=(
            "product: a row is one part a codebook, which divide the width; additive: a row is "
            "the sum of one centroid of each codebook, all as wide as the row"
        ),
    )
    books: int = Field(8, ge=1, le=64, description="codebooks, and bytes of a movie: M")
    codes: int = Field(256, ge=2, le=256, description="centroids of a codebook: K")
    assignment: Literal["learned", "teacher"] = Field(
        "learned",
        description=(
            "of codes to movies; learned: with all else, from the loss (Chen et al., ICML 2020); "
            "teacher: k-means of the teacher's rows, before training, which needs "
            "training.distillation.matching"
        ),
    )


class SemiTensorTableConfig(_TableConfig):
    """Two small cores whose semi-tensor product is the table (OD-Rec, arXiv 2204.11091)."""

    name: Literal["semi_tensor"] = "semi_tensor"
    rank: int = Field(64, ge=1, le=4096, description="columns of the first core: R")
    t: int = Field(
        2, ge=1, le=64, description="the second core is smaller by its square; divides rank"
    )
    factors: tuple[tuple[int, int], tuple[int, int]] | None = Field(
        None,
        description=(
            "[[I1, I2], [J1, J2]]: I1 * I2 rows are at least the movies and the padding, J1 * J2 "
            "is the width, t divides J2; null: J2 = t, which scores fastest, and the I1 of the "
            "fewest numbers"
        ),
    )

    @model_validator(mode="after")
    def _t_divides(self) -> SemiTensorTableConfig:
        if self.rank % self.t:
            raise ValueError(f"t {self.t} does not divide rank {self.rank}")
        if self.factors is not None:
            (first, second), (_, columns) = self.factors
            if min(first, second) < 1 or columns % self.t or columns < 1:
                raise ValueError(
                    f"factors {self.factors}: each must be at least 1, and t {self.t} divide J2"
                )
        return self


class ElasticRefinementConfig(Section):
    """After training: a table for each group of users, and weights of its blocks.

    The encoder stays as it is. A network gives blocks of a segment their weights, from how popular
    the segment is and how large its loss; it learns on windows that the table does not see.
    """

    epochs: int = Field(2, ge=1, le=100, description="passes over a group's windows")
    learning_rate: float = Field(0.001, gt=0, description="of the table")
    controller_hidden: int = Field(
        16, ge=0, le=256, description="width of the network; 0: blocks have no weights"
    )
    controller_learning_rate: float = Field(0.01, gt=0)
    controller_windows: int = Field(
        10, ge=2, description="one of so many windows is the network's, the others the table's"
    )


class ElasticTableConfig(_TableConfig):
    """Blocks of columns, of which a device keeps what its budget allows (PEEL, arXiv 2306.10532).

    Movies are in segments, most popular first; each segment has as many movies as all before it.
    """

    name: Literal["elastic"] = "elastic"
    blocks: int = Field(8, ge=1, le=64, description="equal parts of a row; must divide its width")
    smallest: int = Field(
        1, ge=1, le=64, description="blocks that every movie keeps; training never sees fewer"
    )
    segments: int = Field(4, ge=1, le=8, description="of movies; files with more have more tables")
    fall: float = Field(
        1.0,
        gt=0,
        le=1,
        description=(
            "share of a segment's blocks that the next, less popular one keeps; 1: all movies "
            "keep as many, where a budget leaves no more for popular ones"
        ),
    )
    full_share: float = Field(
        0.2, ge=0, le=1, description="share of training that sees the whole table, not a budget's"
    )
    smallest_share: float = Field(
        0.0, ge=0, le=1, description="share of training that sees the smallest table"
    )
    groups: int = Field(
        1, ge=1, le=64, description="of users, each with a table of its own; needs refinement"
    )
    refinement: ElasticRefinementConfig | None = None
    diversity_weight: float = Field(
        0.1, ge=0, description="of the squared correlation of columns of different blocks"
    )

    @model_validator(mode="after")
    def _groups_are_refined(self) -> ElasticTableConfig:
        if self.groups > 1 and self.refinement is None:
            raise ValueError(f"{self.groups} groups would have one table: set refinement to {{}}")
        return self

    @model_validator(mode="after")
    def _smallest_is_a_part(self) -> ElasticTableConfig:
        if self.smallest > self.blocks:
            raise ValueError(
                f"smallest is {self.smallest}, of {self.blocks} blocks: set it to {self.blocks} at "
                "most, or raise blocks"
            )
        return self

    @model_validator(mode="after")
    def _shares_leave_room(self) -> ElasticTableConfig:
        if self.full_share + self.smallest_share > 1:
            raise ValueError(
                f"full_share {self.full_share} and smallest_share {self.smallest_share} are more "
                "than all of training: lower one"
            )
        return self


def _named(given: Any) -> Any:
    # `--set model.item_table=semi_tensor`: the name alone stands for its defaults.
    return {"name": given} if isinstance(given, str) else given


ItemTableConfig = Annotated[
    Annotated[
        CodebooksTableConfig | DenseTableConfig | ElasticTableConfig | SemiTensorTableConfig,
        Field(discriminator="name"),
    ],
    BeforeValidator(_named),
]
