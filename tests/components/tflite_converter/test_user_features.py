"""A converted model that reads attributes of users answers as the trained one does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from components.tflite_converter.smoke import further_probes, probes
from modules.evaluation.litert import TopKModel
from modules.models.history import Context
from tests.components.tflite_converter import toy

Converted = Callable[[str, str], bytes]
INPUTS = ["user_gender", "user_occupation"]


def test_the_answers_are_those_of_keras_on_either_side_of_padding(converted: Converted) -> None:
    left, right = probes(toy.LENGTH, toy.MOVIES)
    by_left, by_right = further_probes(left, right, INPUTS)
    gender, occupation = (by_left[name] for name in INPUTS)
    # The model does not read the age in between.
    users = np.concatenate([gender, np.full_like(gender, 5), occupation], axis=1)
    model = toy.recommender("user")
    vectors = model.encode_last(Context(left.astype(np.int32), user=users))
    scores = vectors.numpy() @ model.scoring_table().numpy().T
    scores[:, 0] = -np.inf
    np.put_along_axis(scores, np.where(left > 0, left, 0), -np.inf, axis=1)
    expected = -np.sort(-scores, axis=1)[:, : toy.TOP_K]

    served = TopKModel(converted("user", "float32"), "toy")
    assert served.inputs == tuple(INPUTS)
    for ids, further in ((left, by_left), (right, by_right)):
        _, values = served.predict(ids, further)
        np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("variant", ["float32", "int8"])
@pytest.mark.parametrize("name", INPUTS)
def test_every_attribute_counts_and_may_be_unknown(
    converted: Converted, variant: str, name: str
) -> None:
    left, right = probes(toy.LENGTH, toy.MOVIES)
    further, _ = further_probes(left, right, INPUTS)
    served = TopKModel(converted("user", variant), "toy")
    _, known = served.predict(left, further)
    _, unknown = served.predict(left, {**further, name: np.zeros_like(further[name])})
    told = (further[name] > 0)[:, 0] & (left > 0).any(axis=1)
    assert (np.abs(known - unknown).max(axis=1) > 1e-3)[told].all()
    np.testing.assert_array_equal(known[~told], unknown[~told])
