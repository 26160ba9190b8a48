"""Codes instead of rows: a movie is a byte a codebook, and names the centroids that make its row.

The codes are learned with all else by differentiable product quantization (Chen, Li and Sun, ICML
2020, arXiv 1908.09756, its vector-quantization form), or fixed before training by k-means of a
teacher's table. Learning keeps a query row a movie, which never ships: a movie has the code of the
centroid nearest to its query, and what the loss wants of a row goes to the centroids and, straight
through, to the query, which wanders until another centroid is nearer. A device scores without rows:
a context meets all centroids once, and a movie's score is the sum of one product a codebook.
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.models.item_tables.base import ItemTable, ServedTable, TableSpec
from modules.models.item_tables.clustering import clustered
from modules.models.item_tables.coding import decoded, encoded
from modules.models.item_tables.rounding import rounded
from modules.models.item_tables.served_codebooks import ServedCodebooks
from modules.models.layers import unit_rows
from pipeline.config.item_table import CodebooksTableConfig
from pipeline.errors import ConfigError

# Of k-means: random rows need centroids that are in use, a teacher's need good ones.
_FEW = 3
_MANY = 50


class CodebooksTable(ItemTable):
    """See the module.

    Rows keep the lengths that their centroids give them, with cosine scores too: a device would
    have to store them. The queries are then compared at length one, and so move as dense
    rows would.
    """

    def __init__(self, config: CodebooksTableConfig, spec: TableSpec) -> None:
        """Makes random rows, and codebooks of them.

        Args:
            config: Codebooks and bits.
            spec: What it is made for.

        Raises:
            ConfigError: Codebooks do not divide the width, or have more centroids than there are
                movies.
        """
        super().__init__(spec)
        movies, width = spec.movies, spec.width
        _check(config, movies=movies, width=width)
        self._config, self._unit_length = config, spec.unit_length
        part = width // config.books if config.composition == "product" else width
        # The length of other tables' rows that share weights, see `build_item_table`.
        std = spec.initial_std if spec.unit_length else width**-0.5
        queries = keras.initializers.RandomNormal(stddev=std)((movies + 1, width))
        learned = config.assignment == "learned"
        self._queries = (
            self.add_weight(shape=(movies + 1, width), name=f"{spec.name}_queries")
            if learned
            else None
        )
        self._codes = (
            None
            if learned
            else self.add_weight(
                shape=(movies + 1, config.books),
                dtype="uint8",
                trainable=False,
                initializer="zeros",
                name=f"{spec.name}_codes",
            )
        )
        self._centroids = self.add_weight(
            shape=(config.books, config.codes, part), name=f"{spec.name}_centroids"
        )
        self.built = True
        self._begin_with(queries.numpy(), iterations=_FEW)

    def rows(self) -> tf.Tensor:
        """See `ItemTable.rows`."""
        rows = self._decoded()
        if self._queries is not None:
            queries = self._compared()
            rows = tf.stop_gradient(rows) + (queries - tf.stop_gradient(queries))
        return rows * self._not_padding()

    def regularisation(self) -> tf.Tensor | None:
        """See `ItemTable.regularisation`: how far queries are from their centroids, squared.

        It draws both together (van den Oord et al., 2017), and is the only gradient of centroids.
        Without it queries go far away, where no score brings them back from: the scores do not
        change before the code does.
        """
        if self._queries is None:
            return None
        apart = tf.square(self._compared() - self._decoded())
        return tf.reduce_mean(tf.reduce_sum(apart, axis=1)[1:])

    def _decoded(self) -> tf.Tensor:
        centroids = self._rounded_centroids()
        return decoded(self._current_codes(centroids), centroids, self._config.composition)

    def _rounded_centroids(self) -> tf.Tensor:
        return rounded(tf.convert_to_tensor(self._centroids), self._config.bits)

    def codes(self) -> npt.NDArray[np.uint8]:
        """Returns uint8 [movies + 1, books]; that of padding means nothing."""
        centroids = self._rounded_centroids()
        return np.asarray(self._current_codes(centroids).numpy(), np.uint8)

    def serve(self) -> ServedTable:
        """See `ItemTable.serve`."""
        centroids = self._rounded_centroids().numpy()
        return ServedCodebooks(self.codes(), centroids, self._config.composition)

    def begin_from(self, rows: npt.NDArray[np.float32] | None) -> None:
        """See `ItemTable.begin_from`."""
        if rows is None and self._config.assignment == "teacher":
            raise ConfigError(
                "model.item_table.assignment is teacher, but training does not begin with one: add "
                "training.distillation with a section matching, or set assignment to learned"
            )
        super().begin_from(rows)

    def _take(self, rows: npt.NDArray[np.float32]) -> None:
        self._begin_with(rows, iterations=_MANY)

    @property
    def parts(self) -> int:
        """See `ItemTable.parts`."""
        return self._config.books if self._config.composition == "product" else 1

    @property
    def row_weights(self) -> list[keras.Variable]:
        """See `ItemTable.row_weights`."""
        return [self._codes if self._queries is None else self._queries]

    def _begin_with(self, queries: npt.NDArray[np.float32], *, iterations: int) -> None:
        """Takes rows, float32 [movies + 1, width], and makes the codebooks that fit them."""
        # Codes that are fixed need no queries, so that rows may keep their own lengths.
        fixed = self._codes is not None
        compared = queries if fixed or not self._unit_length else unit_rows(queries).numpy()
        codes, centroids = clustered(
            compared[1:],
            self._config.composition,
            books=self._config.books,
            codes=self._config.codes,
            iterations=iterations,
        )
        self._centroids.assign(centroids)
        if self._queries is not None:
            self._queries.assign(queries * self._not_padding())
        if self._codes is not None:
            self._codes.assign(np.pad(codes, [(1, 0), (0, 0)]))

    def _current_codes(self, centroids: tf.Tensor) -> tf.Tensor:
        """Returns int32 [movies + 1, books]."""
        if self._codes is not None:
            return tf.cast(tf.convert_to_tensor(self._codes), tf.int32)
        return encoded(
            tf.stop_gradient(self._compared()),
            tf.stop_gradient(centroids),
            self._config.composition,
        )

    def _compared(self) -> tf.Tensor:
        """Returns the queries as centroids are compared with them: [movies + 1, width]."""
        queries = tf.convert_to_tensor(self._queries)
        return unit_rows(queries) if self._unit_length else queries


def _check(config: CodebooksTableConfig, *, movies: int, width: int) -> None:
    if config.composition == "product" and width % config.books:
        raise ConfigError(
            f"model.item_table.books: rows {width} wide do not split into {config.books} parts; "
            "set books to a divisor of item_table.width (null: model.dim)"
        )
    if config.codes > movies:
        raise ConfigError(
            f"model.item_table.codes: {config.codes} centroids a codebook for {movies} movies; "
            f"at most {movies}"
        )


def build(config: CodebooksTableConfig, spec: TableSpec) -> CodebooksTable:
    """Builds the table; see `registry.build_item_table`."""
    return CodebooksTable(config, spec)
