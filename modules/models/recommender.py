"""The recommender: item tables around an encoder of histories.

A movie's score is `context . scoring_table()[movie] (+ scoring_bias()[movie])`, for every kind of
scoring: the cosine's normalisation is inside the tables and the context vector.
"""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from modules.features import PADDING_ID
from modules.models.dropout import Dropout
from modules.models.encoders.base import build_encoder
from modules.models.event_features import EventFeatures
from modules.models.history import Context, History
from modules.models.item_features import ItemFeatures
from modules.models.layers import unit_rows
from modules.models.user_features import UserFeatures
from pipeline.config.model import ModelConfig


class Recommender(keras.Model):
    """Context vectors of histories, and the tables that turn them into scores.

    All weights exist once the object is made. Row 0 of each table is padding: it is zero and
    stays so.
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
        self._items = self._table("items")
        self._labels = self._items if config.tied else self._table("labels")
        self._features = self._checked(item_features)
        self._item_vectors = self._feature_vectors("items")
        self._label_vectors = self._item_vectors if config.tied else self._feature_vectors("labels")
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
        tables = [self._items, None if self.config.tied else self._labels, self._bias]
        return [table for table in tables if table is not None]

    @property
    def feature_tables(self) -> list[keras.Variable]:
        """Weights with a row an item feature, [features, ...]."""
        tables = [self._item_vectors, None if self.config.tied else self._label_vectors]
        return [table for table in tables if table is not None]

    @property
    def input_table(self) -> tf.Tensor:
        """What histories look their movies up in: float32 [movies + 1, dim].

        With cosine scoring the rows have length one, so that one table can serve both sides.
        """
        return self._rows(self._items, self._item_vectors)

    def scoring_table(self) -> tf.Tensor:
        """What context vectors are multiplied with: float32 [movies + 1, dim].

        Equal to `input_table` where the model is tied: an export then keeps one constant.
        """
        return self._rows(self._labels, self._label_vectors)

    def scoring_bias(self) -> tf.Tensor | None:
        """What is added to the scores: float32 [movies + 1], or None."""
        return None if self._bias is None else tf.convert_to_tensor(self._bias)

    @property
    def score_bound(self) -> float | None:
        """What no score's magnitude exceeds, or None where nothing is known of it."""
        bounded = self.config.scoring == "cosine" and self._bias is None
        return self.config.cosine_scale if bounded else None

    def call(
        self, context: Context, training: bool = False, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Encodes every prefix of each history.

        Args:
            context: A batch of any length up to `history_length`, padded on either side.
            training: Whether to drop values.
            seed: int32 [2], which values; needed in training.

        Returns:
            float32 [batch, history, dim]: the context after each event.

        Raises:
            ValueError: `training` without a `seed`.
        """
        if training and seed is None:
            raise ValueError("training needs a seed for dropout: int32 [2], new for each update")
        drop = seed if training else None
        history = self._look_up(context, self.input_table, drop)
        history = history._replace(items=self._dropout(history.items, drop))
        return self._finish(self.encoder(history, drop))

    def encode_last(self, context: Context, input_table: tf.Tensor | None = None) -> tf.Tensor:
        """Encodes each whole history, computing no more than its last position needs.

        Args:
            context: A batch of any length up to `history_length`, padded on the left.
            input_table: The table to look movies up in, `input_table` by default. An export gives
                the constant that it also scores with.

        Returns:
            float32 [batch, dim]: the context after the last event.
        """
        table = self.input_table if input_table is None else input_table
        return self._finish(self.encoder.last(self._look_up(context, table)))

    def rating_loss(self, context: tf.Tensor, movie_id: tf.Tensor, stars: tf.Tensor) -> tf.Tensor:
        """Sums the weighted squared error of predicted stars, for a model with `rating_head`.

        The prediction is linear in the products that the score is the sum of. Training alone needs
        it: no served graph holds it.

        Args:
            context: float32 [positions, dim], what `call` returns of them.
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
        head.build((None, self.config.dim))
        return head

    def _table(self, name: str) -> keras.Variable:
        dim = self.config.dim
        weights = self.add_weight(
            shape=(self.movies + 1, dim),
            initializer=keras.initializers.RandomNormal(stddev=self.config.initial_std),
            name=name,
        )
        weights.assign(weights * self._not_padding())
        return weights

    def _checked(self, features: ItemFeatures | None) -> tf.Tensor | None:
        if self.config.item_features.any != (features is not None):
            raise ValueError(
                f"model.item_features is {self.config.item_features}, but the features given are "
                f"{features if features is None else list(features.names)}"
            )
        if features is None:
            return None
        if len(features.values) != self.movies + 1:
            raise ValueError(
                f"item features of {len(features.values) - 1} movies for a vocabulary of "
                f"{self.movies}"
            )
        return tf.constant(features.values)

    def _feature_vectors(self, table: str) -> keras.Variable | None:
        if self._features is None:
            return None
        # From zero: a new model is the one that it would be without features.
        return self.add_weight(
            shape=(self._features.shape[1], self.config.dim),
            initializer="zeros",
            name=f"{table}_features",
        )

    def _not_padding(self) -> tf.Tensor:
        return tf.cast(tf.range(self.movies + 1) != PADDING_ID, tf.float32)[:, None]

    def _rows(self, table: keras.Variable, vectors: keras.Variable | None) -> tf.Tensor:
        rows = tf.convert_to_tensor(table)
        if vectors is not None:
            # The features of padding are zero, so its row stays zero.
            rows = rows + tf.matmul(self._features, vectors)
        return unit_rows(rows) if self.config.scoring == "cosine" else rows

    def _look_up(
        self, context: Context, table: tf.Tensor, seed: tf.Tensor | None = None
    ) -> History:
        known = tf.cast(context.movie_id != PADDING_ID, tf.float32)[..., None]
        # Rows have a length near one: brings single values near one, as the encoders expect. The
        # mask keeps every gradient off the padding's row.
        scale = known * math.sqrt(self.config.dim)
        items = tf.gather(table, context.movie_id) * scale
        if self._event_features is not None:
            items += self._event_features(context, seed) * known
        if self._user_features is not None:
            items += self._user_features(context.user) * known
        return History(items, known, context.time)

    def _finish(self, context: tf.Tensor) -> tf.Tensor:
        if self.config.scoring == "dot":
            return context
        return unit_rows(context) * self.config.cosine_scale
