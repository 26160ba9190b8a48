"""Recurrent encoders in int8: no loop, no state kept between calls, nothing computed twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from components.tflite_converter import worker
from components.tflite_converter.smoke import smoke_test
from modules.evaluation.litert import TopKModel
from modules.models import serving
from modules.models.recommender import Recommender
from pipeline.config.model import ModelConfig
from tests.components.tflite_converter import toy

# Of loops and variables, and of weights that should have become constants.
REFUSED = {"WHILE", "VAR_HANDLE", "READ_VARIABLE", "CUSTOM", "EXP", "COS", "SIN", "TRANSPOSE"}


@pytest.mark.parametrize(
    "encoder",
    [{"name": "lru", "layers": 2}, {"name": "gru", "units": 16}],
    ids=lambda encoder: str(encoder["name"]),
)
def test_int8_runs_with_plain_operators_and_any_batch(
    encoder: dict[str, Any], tmp_path: Path
) -> None:
    keras.utils.set_random_seed(11)
    config = ModelConfig.model_validate({"encoder": encoder, "dim": toy.DIM})
    model = Recommender(config, history_length=toy.LENGTH, movies=toy.MOVIES)
    serving.export(model, str(tmp_path / "model"), top_k=toy.TOP_K)
    worker.main([str(tmp_path / "model"), "int8", str(tmp_path / "tflite")])
    content = (tmp_path / "tflite").read_bytes()
    smoke_test(
        TopKModel(content, "toy"),
        name="toy",
        history_length=toy.LENGTH,
        movies=toy.MOVIES,
        top_k=toy.TOP_K,
    )
    interpreter = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    used = {operator["op_name"] for operator in interpreter._get_ops_details()}
    assert not {name for name in used if name in REFUSED or name.startswith("Flex")}
