"""The graph that ships: history in, best movies out, everything between inside TFLite operators.

What surrounds the encoder is written for the interpreter of a phone, batch of one, one thread:

- a history padded on the right is rotated into one padded on the left, so that both give the same
  answer (the encoder reads its last position);
- one constant item table feeds the look-up and, where the model is tied, the scoring, so that a
  converted file stores it once;
- scoring is a product with that constant, which becomes a fully-connected operator with static
  weights;
- the movies of the history, and the padding, are pushed down before the best K are selected. No
  list is ever filtered afterwards, so K movies are always returned.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

import keras
import tensorflow as tf

from modules.features import (
    CONTEXT_MOVIE_ID,
    CONTEXT_RATING,
    CONTEXT_TIMESTAMP,
    PADDING_ID,
    REQUEST_TIMESTAMP,
    TOP_PREDICTION_IDS,
    TOP_PREDICTION_SCORES,
)
from modules.models.history import Context
from modules.models.recommender import Recommender
from modules.serving_inputs import FURTHER_INPUTS, further_inputs
from modules.user_attributes import ATTRIBUTES
from pipeline.errors import ConfigError

# Below any score a model gives, and far from float32's limit even where one movie of a history
# that holds it N times is pushed down N times.
EXCLUDED = -1e9

ASSETS_FOLDER = "assets.extra"
"""Where a SavedModel keeps files of others."""


def export(
    recommender: Recommender, directory: str, *, top_k: int, history_length: int | None = None
) -> None:
    """Writes the recommender as a SavedModel with the signature `serving_default`.

    Input: int32 `context_movie_id` [batch, history], oldest first, padded with 0 on either side;
    after it those of `modules.serving_inputs` that the model reads.
    Outputs: int32 `top_prediction_ids` and float32 `top_prediction_scores`, both [batch, top_k],
    by falling score, equal scores by rising id; never padding, never a movie of the history.

    Args:
        recommender: The model, with the weights that are to ship.
        directory: Folder to write; its parent must exist.
        top_k: K, the movies that are returned.
        history_length: N, the events that the graph takes; by default as many as the recommender
            was made for, at most these.

    Raises:
        ConfigError: The vocabulary is too small for `top_k` movies outside of a history.
    """
    length = history_length or recommender.history_length
    check_top_k(top_k, movies=recommender.movies, history_length=length)
    graph = ServingGraph(recommender, top_k=top_k)
    archive = keras.export.ExportArchive()
    archive.track(recommender)
    archive.add_endpoint(
        "serving_default",
        graph.recommend,
        input_signature=[
            tf.TensorSpec([None, length], tf.int32, CONTEXT_MOVIE_ID),
            *(
                tf.TensorSpec(given.shape(length), given.dtype, given.name)
                for given in further_inputs(recommender.config)
            ),
        ],
    )
    archive.write_out(directory, verbose=False)
    for name, content in recommender.assets().items():
        tf.io.gfile.makedirs(posixpath.join(directory, ASSETS_FOLDER))
        with tf.io.gfile.GFile(posixpath.join(directory, ASSETS_FOLDER, name), "wb") as file:
            file.write(content)


def check_top_k(top_k: int, *, movies: int, history_length: int) -> None:
    """Checks that K movies are left when those of a history are taken out.

    Raises:
        ConfigError: They are not; names the setting and the largest value that works.
    """
    if top_k + history_length > movies:
        raise ConfigError(
            f"conversion.top_k: {top_k} movies cannot be recommended beside a history of "
            f"{history_length} from a vocabulary of {movies}; "
            f"at most {max(movies - history_length, 0)} can: lower conversion.top_k or "
            "history.length, or take more data"
        )


class ServingGraph:
    """A recommender with its tables frozen to constants.

    Attributes:
        top_k: K, the movies that are returned.
    """

    def __init__(self, recommender: Recommender, *, top_k: int) -> None:
        self.top_k = top_k
        self._recommender = recommender
        self._further = [given.name for given in further_inputs(recommender.config)]
        self._items, self._labels = recommender.served_tables()
        bias = recommender.scoring_bias()
        self._bias = None if bias is None else bias.numpy()

    def recommend(self, context_movie_id: tf.Tensor, *further: tf.Tensor) -> dict[str, tf.Tensor]:
        """Recommends for each history.

        Args:
            context_movie_id: int32 [batch, history], oldest first, padded with 0 on either side.
            *further: The model's `further_inputs`, in order; those of events are padded alike.

        Returns:
            `top_prediction_ids` int32 and `top_prediction_scores` float32, both [batch, top_k].
        """
        given = dict(zip(self._further, further, strict=True))
        history = left_aligned_context(context_movie_id, given)
        context = self._recommender.encode_last(history, self._items)
        # Keeps a factor on the context (the cosine's) from being folded into the table by the
        # converter, which would then store a second one.
        context = tf.reshape(context, [-1, self._recommender.width])
        scores = self._labels.scores(context)
        if self._bias is not None:
            scores = scores + tf.constant(self._bias)
        scores = exclude(scores, context_movie_id)
        best, ids = tf.math.top_k(scores, k=self.top_k, sorted=True)
        return {TOP_PREDICTION_IDS: ids, TOP_PREDICTION_SCORES: best}


def left_aligned_context(ids: tf.Tensor, further: Mapping[str, tf.Tensor]) -> Context:
    """Rotates every row so that its last known movie stands last.

    Rotation alone does it: what follows the last known movie is padding, and comes in front.

    Args:
        ids: int32 [batch, history], 0 = padding.
        further: Inputs of `modules.serving_inputs` by name.

    Returns:
        Rows that end in a known movie, or hold none, are unchanged; what belongs to the events is
        rotated with them.
    """
    length = ids.shape[1]
    place = tf.cast(ids != PADDING_ID, tf.int32) * tf.range(1, length + 1)
    end = tf.reduce_max(place, axis=1, keepdims=True)

    def rotated(values: tf.Tensor) -> tf.Tensor:
        twice = tf.concat([values, values], axis=1)
        return tf.gather(twice, end + tf.range(length), batch_dims=1)

    by_event = {
        name: rotated(values) for name, values in further.items() if FURTHER_INPUTS[name].per_event
    }
    time = by_event.get(CONTEXT_TIMESTAMP)
    if time is not None:
        # Where the moment is not read, nobody reads its column.
        moment = further.get(REQUEST_TIMESTAMP, tf.zeros_like(time[:, :1]))
        time = tf.concat([time, moment], axis=1)
    return Context(rotated(ids), by_event.get(CONTEXT_RATING), time, _user(further))


def _user(further: Mapping[str, tf.Tensor]) -> tf.Tensor | None:
    """Returns the attributes in their order, 0 for those that the model does not read."""
    given = [name for name in ATTRIBUTES if name in further]
    if not given:
        return None
    unknown = tf.zeros_like(further[given[0]])
    return tf.concat([further.get(name, unknown) for name in ATTRIBUTES], axis=1)


def exclude(scores: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Pushes the score of each given movie, and of padding, below all others.

    Args:
        scores: float32 [batch, movies + 1].
        ids: int32 [batch, history], movies to push down, 0 among them or not.

    Returns:
        float32 [batch, movies + 1].
    """
    columns = scores.shape[1]
    cells = tf.shape(ids)[0] * columns
    starts = tf.reshape(tf.range(0, cells, columns), [-1, 1])
    # One column more than the history: padding is pushed down also where a history has none.
    places = tf.reshape(tf.pad(ids, [[0, 0], [0, 1]]) + starts, [-1, 1])
    # As many values as there are places, without asking for their number: places are positive.
    pushes = tf.reshape(tf.minimum(tf.cast(places, tf.float32), EXCLUDED), [-1])
    mask = tf.scatter_nd(places, pushes, [cells])
    return scores + tf.reshape(mask, [-1, columns])
