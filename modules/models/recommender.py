"""The recommender: item tables around an encoder of histories.

A movie's score is `context . scoring_table()[movie] (+ scoring_bias()[movie])`, for every kind of
scoring: the cosine's normalisation is inside the tables and the context vector.
"""

from __future__ import annotations

import math

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modules.features import PADDING_ID
from modules.models.dropout import Dropout
from modules.models.encoders.base import build_encoder
from modules.models.event_features import EventFeatures
from modules.models.history import Context, History
from modules.models.item_features import ItemFeatures
from modules.models.item_tables.base import ItemTable, ServedTable, TableSpec
from modules.models.item_tables.registry import build_item_table
from modules.models.layers import dense, unit_rows
from modules.models.user_features import UserFeatures
from pipeline.config.model import ModelConfig


class Recommender(keras.Model):
    """Context vectors of histories, and the tables that turn them into scores.

    All weights exist once the object is made. Row 0 of each table is padding: it is zero and
    stays so.

    Attributes:
        width: Of context vectors and of the tables' rows.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        history_length: int,
        movies: int,
        item_features: ItemFeatures | None = None,
    ) -> None:
        """Makes a model with random weights (seed them with `keras.utils.set_random_seed`).

        Args:
            config: Item tables, encoder and scoring.
            history_length: N, the events a history holds.
            movies: Movies of the vocabulary, their ids being 1..movies.
            item_features: Of these movies, where `config.item_features` asks for any.

        Raises:
            ValueError: `item_features` is not what the configuration and `movies` ask for.
        """
        super().__init__(name="recommender")
        self.config = config
        self.history_length = history_length
        self.movies = movies
        self.width = config.item_table.row_width(config.dim)
        features = self._checked(item_features)
        self._items = self._table("items", features)
        self._labels = self._items if config.tied else self._table("labels", features)
        self._widen, self._narrow = self._projections()
        self._bias = (
            self.add_weight(shape=(movies + 1,), initializer="zeros", name="item_bias")
            if config.item_bias
            else None
        )
        self.encoder = build_encoder(
            config.encoder, dim=config.dim, history_length=history_length, dropout=config.dropout
        )
        self._event_features = (
            EventFeatures(config.event_features, dim=config.dim)
            if config.event_features.any
            else None
        )
        self._user_features = (
            UserFeatures(config.user_features, dim=config.dim)
            if config.user_features.attributes
            else None
        )
        self._stars = self._rating_head() if config.rating_head else None
        self._dropout = Dropout(config.dropout, site=0)
        self.built = True

    @property
    def movie_tables(self) -> list[keras.Variable]:
        """Weights with a row a vocabulary id, [movies + 1, ...]."""
        tables = [weights for table in self.item_tables for weights in table.row_weights]
        return tables if self._bias is None else [*tables, self._bias]

    @property
    def feature_tables(self) -> list[keras.Variable]:
        """Weights with a row an item feature, [features, ...]."""
        return [weights for table in self.item_tables for weights in table.feature_weights]

    @property
    def input_table(self) -> tf.Tensor:
        """What histories look their movies up in: float32 [movies + 1, width]."""
        return self._items.rows()

    def scoring_table(self, seed: tf.Tensor | None = None) -> tf.Tensor:
        """What context vectors are multiplied with: float32 [movies + 1, width].

        Args:
            seed: int32 [2], in training: that of `call`.
        """
        return self._labels.rows() if seed is None else self._labels.training_rows(seed)

    def regularisation(self) -> tf.Tensor | None:
        """What training adds to the mean loss of a target: float32 [], or None."""
        parts = [table.regularisation() for table in self.item_tables]
        given = [part for part in parts if part is not None]
        return tf.add_n(given) if given else None

    def begin_from(self, rows: npt.NDArray[np.float32] | None) -> None:
        """Gives the item tables a teacher's rows to begin with, see `ItemTable.begin_from`."""
        for table in self.item_tables:
            table.begin_from(rows)

    @property
    def row_parts(self) -> int:
        """Parts of a row that say equally much in a good table, see `ItemTable.parts`."""
        return self._labels.parts

    def served_tables(self) -> tuple[ServedTable, ServedTable]:
        """Returns the tables of an export: to look up in, and to score with.

        They are one object where the model is tied: an export then keeps its constants once.
        """
        items = self._items.serve()
        return items, items if self.config.tied else self._labels.serve()

    def assets(self) -> dict[str, bytes]:
        """Returns files that go with an export, by name."""
        return {name: file for table in self.item_tables for name, file in table.assets().items()}

    def scoring_bias(self) -> tf.Tensor | None:
        """What is added to the scores: float32 [movies + 1], or None."""
        return None if self._bias is None else tf.convert_to_tensor(self._bias)

    @property
    def score_bound(self) -> float | None:
        """What no score's magnitude exceeds, or None where nothing is known of it."""
        table = self.config.item_table
        unit = self.config.scoring == "cosine" and table.name == "dense" and not table.rounds
        return self.config.cosine_scale if unit and self._bias is None else None

    def call(
        self, context: Context, training: bool = False, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Encodes every prefix of each history.

        Args:
            context: A batch of any length up to `history_length`, padded on either side.
            training: Whether to drop values, and parts of tables that have such.
            seed: int32 [2], which ones; needed in training.

        Returns:
            float32 [batch, history, width]: the context after each event.

        Raises:
            ValueError: `training` without a `seed`.
        """
        if training and seed is None:
            raise ValueError("training needs a seed for dropout: int32 [2], new for each update")
        drop = seed if training else None
        table = self.input_table if drop is None else self._items.training_rows(drop)
        items = tf.gather(table, context.movie_id)
        history = self._history(context, items, drop)
        history = history._replace(items=self._dropout(history.items, drop))
        return self._finish(self.encoder(history, drop))

    def encode_last(self, context: Context, table: ServedTable | None = None) -> tf.Tensor:
        """Encodes each whole history, computing no more than its last position needs.

        Args:
            context: A batch of any length up to `history_length`, padded on the left.
            table: What to look movies up in, the rows in training by default. An export gives the
                constants that it also scores with.

        Returns:
            float32 [batch, width]: the context after the last event.
        """
        ids = context.movie_id
        items = tf.gather(self.input_table, ids) if table is None else table.look_up(ids)
        return self._finish(self.encoder.last(self._history(context, items)))

    def rating_loss(self, context: tf.Tensor, movie_id: tf.Tensor, stars: tf.Tensor) -> tf.Tensor:
        """Sums the weighted squared error of predicted stars, for a model with `rating_head`.

        The prediction is linear in the products that the score is the sum of. Training alone needs
        it: no served graph holds it.

        Args:
            context: float32 [positions, width], what `call` returns of them.
            movie_id: int32 [positions], the movies that were rated.
            stars: float32 [positions], 0 = not known.

        Returns:
            float32 [], in squared stars.

        Raises:
            ValueError: The model has no `rating_head`.
        """
        if self._stars is None or self.config.rating_head is None:
            raise ValueError("a model without model.rating_head predicts no stars")
        rows = tf.gather(self.scoring_table(), movie_id)
        error = tf.where(stars > 0, self._stars(context * rows)[:, 0] - stars, 0.0)
        return self.config.rating_head.weight * tf.reduce_sum(tf.square(error))

    def _rating_head(self) -> keras.layers.Dense:
        # Stars of MovieLens are 3.5 in the mean.
        mean = keras.initializers.Constant(3.5)
        head = keras.layers.Dense(1, bias_initializer=mean, name="stars")
        head.build((None, self.width))
        return head

    @property
    def item_tables(self) -> list[ItemTable]:
        """The tables: one where the model is tied, else that of the input and that of scores."""
        return [self._items] if self.config.tied else [self._items, self._labels]

    def _table(self, name: str, features: ItemFeatures | None) -> ItemTable:
        spec = TableSpec(
            name=name,
            movies=self.movies,
            width=self.width,
            initial_std=self.config.initial_std,
            unit_length=self.config.scoring == "cosine",
            features=features,
        )
        return build_item_table(self.config.item_table, spec)

    def _projections(self) -> tuple[keras.layers.Dense | None, keras.layers.Dense | None]:
        """Returns what brings rows to the encoder's width, and contexts back to the rows'."""
        dim = self.config.dim
        if self.width == dim:
            return None, None
        return (
            dense(self.width, dim, "widen", use_bias=False),
            dense(dim, self.width, "narrow", use_bias=False),
        )

    def _checked(self, features: ItemFeatures | None) -> ItemFeatures | None:
        if self.config.item_features.any != (features is not None):
            raise ValueError(
                f"model.item_features is {self.config.item_features}, but the features given are "
                f"{features if features is None else list(features.names)}"
            )
        if features is not None and len(features.values) != self.movies + 1:
            raise ValueError(
                f"item features of {len(features.values) - 1} movies for a vocabulary of "
                f"{self.movies}"
            )
        return features

    def _history(
        self, context: Context, items: tf.Tensor, seed: tf.Tensor | None = None
    ) -> History:
        known = tf.cast(context.movie_id != PADDING_ID, tf.float32)[..., None]
        # Rows have a length near one: brings single values near one, as the encoders expect. The
        # mask keeps every gradient off the padding's row.
        items = items * (known * math.sqrt(self.width))
        if self._widen is not None:
            items = self._widen(items)
        if self._event_features is not None:
            items += self._event_features(context, seed) * known
        if self._user_features is not None:
            items += self._user_features(context.user) * known
        return History(items, known, context.time)

    def _finish(self, context: tf.Tensor) -> tf.Tensor:
        if self._narrow is not None:
            context = self._narrow(context)
        if self.config.scoring == "dot":
            return context
        return unit_rows(context) * self.config.cosine_scale
