from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from components.tflite_converter.convert import ConversionError
from components.tflite_converter.smoke import (
    check_answers,
    further_probes,
    probes,
    smoke_test,
)
from modules.evaluation.litert import TopKModel
from modules.evaluation.ranking import FloatArray, IntArray
from tests.components.tflite_converter import toy

SHAPE: dict[str, Any] = {
    "name": "toy",
    "history_length": toy.LENGTH,
    "movies": toy.MOVIES,
    "top_k": toy.TOP_K,
}


@pytest.mark.parametrize("variant", ["float32", "float16", "int8"])
@pytest.mark.parametrize("encoder", list(toy.ENCODERS))
@pytest.mark.thorough
def test_every_variant_of_every_encoder_passes(
    converted: Callable[[str, str], bytes], encoder: str, variant: str
) -> None:
    smoke_test(TopKModel(converted(encoder, variant), "toy"), **SHAPE)


def test_probes_hold_the_extremes() -> None:
    left, right = probes(3, 9)
    assert left[:6].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 9], [1, 1, 1], [1, 2, 3], [9, 8, 7]]
    assert right[:3].tolist() == [[0, 0, 0], [1, 0, 0], [9, 0, 0]]
    assert ((left > 0).sum(axis=1) == (right > 0).sum(axis=1)).all()


def test_further_probes_are_the_same_on_either_side() -> None:
    left, right = probes(4, 9)
    names = ["context_rating", "context_timestamp", "request_timestamp"]
    by_left, by_right = further_probes(left, right, names)
    assert list(by_left) == list(by_right) == names
    for name in names[:2]:
        assert (by_left[name][left == 0] == 0).all()
        assert by_left[name][left > 0].tolist() == by_right[name][right > 0].tolist()
    times, moment = by_left["context_timestamp"], by_left["request_timestamp"]
    assert moment.shape == (len(left), 1)
    known = [row[row > 0] for row in np.concatenate([times, moment], axis=1)]
    assert all((np.diff(row) > 0).all() for row in known)
    assert 0.03 < (by_left["context_rating"][left > 0] == 0).mean() < 0.25
    assert further_probes(left, right, []) == ({}, {})


@pytest.mark.parametrize(
    ("ids", "scores", "problem"),
    [
        ([1, 2], [0.5, 0.5], None),
        ([1, 2], [0.5, np.nan], "not finite"),
        ([1, 2], [np.inf, 0.5], "not finite"),
        ([0, 2], [0.5, 0.4], r"ids outside of 1\.\.9"),
        ([1, 10], [0.5, 0.4], r"ids outside of 1\.\.9"),
        ([2, 2], [0.5, 0.5], "the same movie twice"),
        ([1, 7], [0.5, 0.4], "a movie of the history"),
        ([1, 2], [0.4, 0.5], "scores that rise"),
        ([1, 2, 3], [0.5, 0.4, 0.3], r"shape \(1, 3\), expected \(1, 2\)"),
    ],
)
def test_answers_that_no_model_may_give(
    ids: list[int], scores: list[float], problem: str | None
) -> None:
    def check() -> None:
        check_answers(
            np.array([[0, 7]]),
            np.array([ids]),
            np.array([scores], np.float32),
            name="toy",
            movies=9,
            top_k=2,
        )

    if problem is None:
        check()
        return
    with pytest.raises(ConversionError, match=problem):
        check()


class Altered(TopKModel):
    """The toy with its answers changed."""

    def __init__(
        self, content: bytes, change: Callable[[IntArray, FloatArray], FloatArray]
    ) -> None:
        super().__init__(content, "toy")
        self._change = change

    def predict(
        self, context: IntArray, further: Mapping[str, Any] | None = None
    ) -> tuple[IntArray, FloatArray]:
        ids, scores = super().predict(context, further)
        return ids, self._change(context, scores)


def test_dependence_on_the_padding_is_found(converted: Callable[[str, str], bytes]) -> None:
    def change(context: IntArray, scores: FloatArray) -> FloatArray:
        return np.where((context[:, :1] > 0) & (context[:, -1:] == 0), scores * 1.1, scores)

    with pytest.raises(ConversionError, match="another side of the padding"):
        smoke_test(Altered(converted("bow", "float32"), change), **SHAPE)


def test_dependence_on_the_batch_is_found(converted: Callable[[str, str], bytes]) -> None:
    def change(context: IntArray, scores: FloatArray) -> FloatArray:
        return scores if len(context) > 1 else scores * 1.1

    with pytest.raises(ConversionError, match="another size of the batch"):
        smoke_test(Altered(converted("bow", "float32"), change), **SHAPE)
