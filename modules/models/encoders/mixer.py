"""A positional mixer: learned weights of distances mix events, without queries or keys.

Blocks of two gated parts with a residual path around each. The first mixes events: instead of
attention's products of queries and keys it has a learned weight for every distance and head, as
FPARec (arXiv 2407.02793) and FuXi-beta (arXiv 2508.10615) found sufficient, in the gated form of
HSTU (arXiv 2402.17152). The second is a SwiGLU (Shazeer, 2020). On a device the mixing is a product
with static weights, the cheapest thing there is. Blocks at the end may weigh events by what they
are too: of the last block a device computes one position alone, where attention costs next to
nothing. Blocks may share all weights but those of mixing events, as ALBERT's layers do
(arXiv 1909.11942): a deeper encoder in hardly more bytes than one block.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from modules.models.dropout import Dropout
from modules.models.encoders.base import Encoder
from modules.models.history import History
from modules.models.layers import RmsNorm, dense, rms_scaled, small_values
from modules.models.mixing import AttentionMixing, DistanceMixing
from pipeline.config.model import MixerConfig


class MixerEncoder(Encoder):
    """See the module.

    Nothing in it has a bias, so that padding on the left stays zero through all blocks.
    """

    def __init__(
        self, config: MixerConfig, *, dim: int, history_length: int, dropout: float
    ) -> None:
        super().__init__(name="mixer")
        self._blocks: list[_Block] = []
        for index in range(config.blocks):
            like = self._blocks[0] if config.shared_weights and index else None
            self._blocks.append(
                _Block(config, index, dim=dim, length=history_length, dropout=dropout, like=like)
            )
        self.built = True

    def call(self, history: History, seed: tf.Tensor | None = None) -> tf.Tensor:
        """See `Encoder.call`."""
        # Time first: the mixing is then a plain matrix product for each head.
        values = tf.transpose(history.items, [1, 0, 2])
        for block in self._blocks:
            values = block.every(values, history.known, seed)
        return tf.transpose(values, [1, 0, 2])

    def last(self, history: History) -> tf.Tensor:
        """See `Encoder.last`."""
        values = history.items
        for block in self._blocks[:-1]:
            values = block.on_device(values, history.known, last_only=False)
        return self._blocks[-1].on_device(values, history.known, last_only=True)


class _Block(keras.layers.Layer):
    """Mixing of events, then of features."""

    def __init__(
        self,
        config: MixerConfig,
        index: int,
        *,
        dim: int,
        length: int,
        dropout: float,
        like: _Block | None,
    ) -> None:
        """Makes the weights, or takes those of a block `like` it, but for the mixing's."""
        super().__init__(name=f"block_{index}")
        self._dim = dim
        attends = index >= config.blocks - config.attention_blocks
        mixing = AttentionMixing if attends else DistanceMixing
        self._mixing = mixing(dim=dim, heads=config.heads, length=length)
        if like is None:
            self._make_weights(config.feed_forward or 2 * dim)
        else:
            self._take_weights(like)
        self._drop_mixed = Dropout(dropout, site=1 + 2 * index)
        self._drop_features = Dropout(dropout, site=2 + 2 * index)
        self.built = True

    def _make_weights(self, width: int) -> None:
        dim = self._dim
        self._norm = RmsNorm(dim, name="norm")
        self._gate_value = dense(dim, 2 * dim, "gate_value", use_bias=False)
        self._mixed_gain = self.add_weight(shape=(dim,), initializer="ones", name="mixed_gain")
        self._output = dense(dim, dim, "output", initializer=small_values(), use_bias=False)
        self._norm_features = RmsNorm(dim, name="norm_features")
        self._features_in = dense(dim, 2 * width, "features_in", use_bias=False)
        self._features_out = dense(
            width, dim, "features_out", initializer=small_values(), use_bias=False
        )

    def _take_weights(self, like: _Block) -> None:
        self._norm, self._gate_value = like._norm, like._gate_value
        self._mixed_gain, self._output = like._mixed_gain, like._output
        self._norm_features = like._norm_features
        self._features_in, self._features_out = like._features_in, like._features_out

    def every(self, values: tf.Tensor, known: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Computes the block in training.

        Args:
            values: float32 [history, batch, dim], zeros before the first event.
            known: float32 [batch, history, 1].
            seed: int32 [2] of dropout, or None.

        Returns:
            float32 [history, batch, dim].
        """
        normed = self._norm(values)
        gate, value = tf.split(tf.nn.silu(self._gate_value(normed)), 2, axis=-1)
        mixed = self._mixing.every(normed, value, known)
        out = self._output(mixed * self._mixed_gain * gate)
        values = values + self._drop_mixed(out, seed)
        inner = _gated(self._features_in(self._norm_features(values)))
        return values + self._drop_features(self._features_out(inner), seed)

    def on_device(self, values: tf.Tensor, known: tf.Tensor, *, last_only: bool) -> tf.Tensor:
        """Computes the block for a left-padded batch with plain TFLite operators.

        Args:
            values: float32 [batch, history, dim], zeros at padding.
            known: float32 [batch, history, 1].
            last_only: Whether the last position alone is wanted.

        Returns:
            float32 [batch, history, dim], or [batch, dim].
        """
        length = values.shape[1]
        scaled = rms_scaled(values)
        normed = scaled * self._norm.gain
        kernel = self._norm.gain[:, None] * self._gate_value.kernel
        value = tf.nn.silu(tf.matmul(scaled, kernel[:, self._dim :]))
        mixed = self._mixing.on_device(normed, value, known, last_only=last_only)
        if last_only:
            values, scaled = values[:, length - 1 :], scaled[:, length - 1 :]
        gate = tf.nn.silu(tf.matmul(scaled, kernel[:, : self._dim]))
        # Gains are folded into the weights behind them.
        out_kernel = self._mixed_gain[:, None] * self._output.kernel
        values += tf.matmul(mixed * gate, out_kernel)
        in_kernel = self._norm_features.gain[:, None] * self._features_in.kernel
        inner = tf.matmul(rms_scaled(values), in_kernel)
        values += self._features_out(_gated(inner))
        return tf.reshape(values, [-1, self._dim]) if last_only else values


def _gated(values: tf.Tensor) -> tf.Tensor:
    gate, value = tf.split(values, 2, axis=-1)
    return tf.nn.silu(gate) * value


def build(config: MixerConfig, *, dim: int, history_length: int, dropout: float) -> MixerEncoder:
    """Builds the encoder; see `base.build_encoder`."""
    return MixerEncoder(config, dim=dim, history_length=history_length, dropout=dropout)
