"""A converted model that reads ratings and times answers as the trained one does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from components.tflite_converter import flatbuffer
from components.tflite_converter.smoke import further_probes, probes
from modules.evaluation.litert import TopKModel
from modules.models.history import Context
from tests.components.tflite_converter import toy

Converted = Callable[[str, str], bytes]
INPUTS = ["context_rating", "context_timestamp", "request_timestamp"]


def test_either_side_of_padding_gives_the_answers_of_keras(converted: Converted) -> None:
    left, right = probes(toy.LENGTH, toy.MOVIES)
    by_left, by_right = further_probes(left, right, INPUTS)
    time = np.concatenate([by_left[name] for name in INPUTS[1:]], axis=1)
    model = toy.recommender("events")
    vectors = model.encode_last(Context(left.astype(np.int32), by_left["context_rating"], time))
    scores = vectors.numpy() @ model.scoring_table().numpy().T
    scores[:, 0] = -np.inf
    np.put_along_axis(scores, np.where(left > 0, left, 0), -np.inf, axis=1)
    expected = -np.sort(-scores, axis=1)[:, : toy.TOP_K]

    served = TopKModel(converted("events", "float32"), "toy")
    assert served.inputs == tuple(INPUTS)
    for ids, further in ((left, by_left), (right, by_right)):
        found, values = served.predict(ids, further)
        np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(np.take_along_axis(scores, found, axis=1), values, atol=1e-3)


@pytest.mark.parametrize("variant", ["float32", "int8"])
@pytest.mark.parametrize("name", INPUTS)
def test_every_input_counts_and_may_be_unknown(
    converted: Converted, variant: str, name: str
) -> None:
    left, right = probes(toy.LENGTH, toy.MOVIES)
    further, _ = further_probes(left, right, INPUTS)
    served = TopKModel(converted("events", variant), "toy")
    _, known = served.predict(left, further)
    _, unknown = served.predict(left, {**further, name: np.zeros_like(further[name])})
    assert np.isfinite(unknown).all()
    assert (np.abs(known - unknown).max(axis=1) > 1e-3).mean() > 0.8


def test_a_missing_or_misshapen_input_is_named(converted: Converted) -> None:
    left, right = probes(toy.LENGTH, toy.MOVIES)
    further, _ = further_probes(left, right, INPUTS)
    served = TopKModel(converted("events", "float32"), "toy")
    with pytest.raises(ValueError, match=r"toy: reads .'request_timestamp'. beside"):
        served.predict(left, {name: further[name] for name in INPUTS[:2]})
    misshapen = {**further, "context_rating": further["context_rating"][:, 1:]}
    with pytest.raises(ValueError, match=r"takes context_rating of shape \[22, 6\], got \[22, 5\]"):
        served.predict(left, misshapen)


def test_nothing_is_read_that_is_switched_off(converted: Converted) -> None:
    assert TopKModel(converted("cnn", "float32"), "toy").inputs == ()
    parsed = flatbuffer.parse(converted("cnn", "float32"))
    assert len(parsed.subgraphs[0].inputs) == 1
