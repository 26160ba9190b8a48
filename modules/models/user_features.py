"""Vectors of what is known of the user, added to the item vector of each event.

An attribute has a learned row a category (see `modules.user_attributes`); id 0 - not known - has
none and adds nothing. All rows begin at zero, so that a model starts as it would without.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from modules.user_attributes import ATTRIBUTES, CATEGORIES
from pipeline.config.model import UserFeaturesConfig


class UserFeatures(keras.layers.Layer):
    """The tables of the attributes that a configuration names; at least one."""

    def __init__(self, config: UserFeaturesConfig, *, dim: int) -> None:
        super().__init__(name="user_features")
        self._tables = {
            name: self.add_weight(
                shape=(len(CATEGORIES[name]), dim), initializer="zeros", name=name
            )
            for name in config.attributes
        }
        self.built = True

    def call(self, user: tf.Tensor | None) -> tf.Tensor:
        """Adds up the rows of each user.

        Args:
            user: int32 [batch, attributes], ids in the order of `ATTRIBUTES`.

        Returns:
            float32 [batch, 1, dim].

        Raises:
            ValueError: There is no `user`.
        """
        if user is None:
            raise ValueError("the model reads attributes of users: the context needs them")
        picked = [
            # Neither 0 nor an id that there is not picks a row.
            tf.one_hot(user[:, ATTRIBUTES.index(name)] - 1, len(CATEGORIES[name]))
            for name in self._tables
        ]
        table = tf.concat([tf.convert_to_tensor(table) for table in self._tables.values()], axis=0)
        return tf.matmul(tf.concat(picked, axis=-1), table)[:, tf.newaxis, :]
