from __future__ import annotations

from typing import Any

import pytest
from tfx.types import standard_artifacts

from modules.training.resolver import LatestEarlierBlessedStrategy
from pipeline.errors import ConfigError
from tests.modules.evaluation.test_resolver import blessing, model


def of_span(number: int, span: int) -> Any:
    made = model(number)
    made.set_int_custom_property("span", span)
    return made


def resolve(models: list[Any], blessings: list[Any], span: int | None) -> list[int]:
    examples = standard_artifacts.Examples()
    if span is not None:
        examples.set_int_custom_property("span", span)
    result = LatestEarlierBlessedStrategy().resolve_artifacts(
        None, {"model": models, "model_blessing": blessings, "examples": [examples]}
    )
    assert result["examples"] == [examples]
    assert len(result["model_blessing"]) == len(result["model"])
    return [artifact.id for artifact in result["model"]]


MODELS = [of_span(1, 7), of_span(3, 8), of_span(5, 9), model(7)]
BLESSINGS = [blessing(2, 1), blessing(4, 3), blessing(6, 5), blessing(8, 7)]


def test_a_first_span_has_no_model_before() -> None:
    assert resolve(MODELS, BLESSINGS, 7) == []
    assert resolve([], [], 7) == []


def test_the_last_blessed_model_of_an_earlier_span_is_taken() -> None:
    assert resolve(MODELS, BLESSINGS, 10) == [5]
    # A run that is repeated finds what it found before there was its own model.
    assert resolve(MODELS, BLESSINGS, 9) == [3]
    assert resolve(MODELS[:2], BLESSINGS[:2], 9) == [3]


def test_a_refused_model_is_passed_over() -> None:
    assert resolve(MODELS, [blessing(2, 1), blessing(4, 3, blessed=False)], 9) == [1]


def test_data_without_spans_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"ratings-\{SPAN\}"):
        resolve(MODELS, BLESSINGS, None)
