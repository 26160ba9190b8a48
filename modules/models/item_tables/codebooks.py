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

from modules.models.item_features import ItemFeatures
from modules.models.item_tables.base import ItemTable, ServedTable
from modules.models.item_tables.clustering import clustered
from modules.models.item_tables.coding import decoded, encoded
from modules.models.item_tables.rounding import rounded
from modules.models.layers import unit_rows
from pipeline.config.item_table import CodebooksTableConfig, Composition
from pipeline.errors import ConfigError


class CodebooksTable(ItemTable):
    """See the module.

    Rows keep the lengths that their centroids give them, with cosine scores too: a device would
    have to store them. The queries are then compared at length one. So they move as dense rows
    would, and cannot run away from the centroids, which no loss holds near to them.
    """

    def __init__(
        self,
        config: CodebooksTableConfig,
        *,
        name: str,
        movies: int,
        width: int,
        initial_std: float,
        unit_length: bool,
    ) -> None:
        """Makes random rows, and codebooks of them.

        Args:
            config: Codebooks and bits.
            name: Of the weights.
            movies: Of the vocabulary.
            width: Of a row.
            initial_std: Standard deviation of the queries' values, where their length is free.
            unit_length: Whether queries are compared at length one.

        Raises:
            ConfigError: Codebooks do not divide the width, or have more centroids than there are
                movies.
        """
        super().__init__(name=f"{name}_table", movies=movies, width=width)
        _check(config, movies=movies, width=width)
        self._config, self._unit_length = config, unit_length
        part = width // config.books if config.composition == "product" else width
        # The length of other tables' rows that share weights, see `build_item_table`.
        std = initial_std if unit_length else width**-0.5
        queries = keras.initializers.RandomNormal(stddev=std)((movies + 1, width))
        learned = config.assignment == "learned"
        self._queries = (
            self.add_weight(shape=(movies + 1, width), name=f"{name}_queries") if learned else None
        )
        self._codes = (
            None
            if learned
            else self.add_weight(
                shape=(movies + 1, config.books),
                dtype="uint8",
                trainable=False,
                initializer="zeros",
                name=f"{name}_codes",
            )
        )
        self._centroids = self.add_weight(
            shape=(config.books, config.codes, part), name=f"{name}_centroids"
        )
        self.built = True
        self._begin_with(queries.numpy())

    def rows(self) -> tf.Tensor:
        """See `ItemTable.rows`."""
        centroids = rounded(tf.convert_to_tensor(self._centroids), self._config.bits)
        rows = decoded(self._current_codes(centroids), centroids, self._config.composition)
        if self._queries is not None:
            queries = self._compared()
            rows = rows + (queries - tf.stop_gradient(queries))
        return rows * self._not_padding()

    def codes(self) -> npt.NDArray[np.uint8]:
        """Returns uint8 [movies + 1, books]; that of padding means nothing."""
        centroids = rounded(tf.convert_to_tensor(self._centroids), self._config.bits)
        return np.asarray(self._current_codes(centroids).numpy(), np.uint8)

    def serve(self) -> ServedTable:
        """See `ItemTable.serve`."""
        centroids = rounded(tf.convert_to_tensor(self._centroids), self._config.bits).numpy()
        return _Served(self.codes(), centroids, self._config.composition)

    def begin_from(self, rows: npt.NDArray[np.float32] | None) -> None:
        """See `ItemTable.begin_from`: codebooks of the teacher's rows, and the rows as queries."""
        if rows is None and self._config.assignment == "teacher":
            raise ConfigError(
                "model.item_table.assignment is teacher, but training does not begin with one: add "
                "training.distillation with a section matching, or set assignment to learned"
            )
        super().begin_from(rows)

    def _take(self, rows: npt.NDArray[np.float32]) -> None:
        self._begin_with(rows)

    @property
    def parts(self) -> int:
        """See `ItemTable.parts`."""
        return self._config.books if self._config.composition == "product" else 1

    @property
    def row_weights(self) -> list[keras.Variable]:
        """See `ItemTable.row_weights`."""
        return [self._codes if self._queries is None else self._queries]

    def _begin_with(self, queries: npt.NDArray[np.float32]) -> None:
        """Takes rows, float32 [movies + 1, width], and makes the codebooks that fit them."""
        queries = queries * self._not_padding().numpy()
        compared = unit_rows(queries).numpy() if self._unit_length else queries
        codes, centroids = clustered(
            compared[1:],
            self._config.composition,
            books=self._config.books,
            codes=self._config.codes,
        )
        self._centroids.assign(centroids)
        if self._queries is not None:
            self._queries.assign(queries)
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


class _Served(ServedTable):
    """Codes uint8 [movies + 1, books] and centroids float32 [books, codes, part] as constants."""

    def __init__(
        self,
        codes: npt.NDArray[np.uint8],
        centroids: npt.NDArray[np.float32],
        composition: Composition,
    ) -> None:
        self._books, self._size, self._part = centroids.shape
        self._codes = codes
        self._centroids = centroids.reshape(-1, self._part)
        self._product = composition == "product"

    def look_up(self, ids: tf.Tensor) -> tf.Tensor:
        codes = tf.cast(tf.gather(tf.constant(self._codes), ids), tf.int32)
        places = codes + tf.range(self._books) * self._size
        chosen = tf.gather(tf.constant(self._centroids), tf.reshape(places, [-1]))
        if self._product:
            return tf.reshape(chosen, [-1, ids.shape[1], self._books * self._part])
        chosen = tf.reshape(chosen, [-1, ids.shape[1], self._books, self._part])
        return tf.reduce_sum(chosen, axis=2)

    def scores(self, context: tf.Tensor) -> tf.Tensor:
        centroids = tf.constant(self._centroids)
        starts = np.arange(self._books, dtype=np.int32) * self._size
        if self._product:
            # Every part meets the centroids of all codebooks, as if it were a batch: one product
            # with one constant. Only those of its own are read.
            starts = starts + np.arange(self._books, dtype=np.int32) * len(self._centroids)
            context = tf.reshape(context, [-1, self._part])
        sums = tf.matmul(context, centroids, transpose_b=True)
        sums = tf.reshape(sums, [-1, starts[-1] + self._size])
        places = tf.cast(tf.constant(self._codes), tf.int32) + starts
        picked = tf.gather(sums, tf.reshape(places, [-1]), axis=1)
        picked = tf.reshape(picked, [-1, len(self._codes), self._books])
        return tf.reduce_sum(picked, axis=2)


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


def build(
    config: CodebooksTableConfig,
    *,
    name: str,
    movies: int,
    width: int,
    initial_std: float,
    unit_length: bool,
    features: ItemFeatures | None,
) -> CodebooksTable:
    """Builds the table; see `registry.build_item_table`."""
    del features
    return CodebooksTable(
        config,
        name=name,
        movies=movies,
        width=width,
        initial_std=initial_std,
        unit_length=unit_length,
    )
