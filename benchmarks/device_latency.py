"""Measures what one recommendation takes on one thread of LiteRT, as a device asks for it.

    .venv/bin/python -m benchmarks.device_latency workspace/.../variants/int8.tflite --top-k 10 100
    .venv/bin/python -m benchmarks.device_latency --encoders cnn lstm --history 10 50 --dim 32 64

The first form measures trained models, cut or raised to other values of K; the second one models
of untrained weights, for comparing shapes. The order of scores matters: selecting the best K costs
more the later in the vocabulary, which falls by popularity, the high scores come. Untrained scores
come in no order at all, so the second form reads too high where K is large.

Times are of `Interpreter.invoke` alone, for a batch of one and another history each time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from tabulate import tabulate

from benchmarks.results import write_result
from components.tflite_converter import flatbuffer
from components.tflite_converter.smoke import further_probes
from modules.evaluation.latency import measure
from modules.evaluation.litert import SIGNATURE, TopKModel
from modules.features import CONTEXT_MOVIE_ID

HISTORIES = 256
VARIANTS = ("float32", "float16", "int8")


def with_top_k(model: bytes, top_k: int) -> bytes:
    """Returns a recommender's file with another K.

    Raises:
        ValueError: The graph does not end in one selection of the best.
    """
    parsed = flatbuffer.parse(model)
    graph = parsed.subgraphs[0]
    selections = [
        operator
        for operator in graph.operators
        if parsed.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.TOPK_V2
    ]
    if len(selections) != 1:
        raise ValueError(f"expected one TOPK_V2 in the graph, found {len(selections)}")
    buffer = schema.BufferT()
    buffer.data = np.array([top_k], np.int32).view(np.uint8)
    parsed.buffers.append(buffer)
    graph.tensors[selections[0].inputs[1]].buffer = len(parsed.buffers) - 1
    for index in selections[0].outputs:
        tensor = graph.tensors[index]
        for shape in (tensor.shape, tensor.shapeSignature):
            if shape is not None:
                shape[-1] = top_k
    return flatbuffer.finish(flatbuffer.serialize(parsed))


def random_histories(length: int, movies: int) -> npt.NDArray[np.int32]:
    """Draws histories of popular movies above all: int32 [HISTORIES, length], without padding."""
    drawn = np.random.default_rng(1).uniform(0, np.log(movies + 1), (HISTORIES, length))
    return np.clip(np.exp(drawn).astype(np.int32), 1, movies)


def catalogue_size(model: bytes) -> int:
    """Returns the movies of a recommender's file: the rows of its largest constant, less one."""
    return flatbuffer.constants(model)[0][0][0] - 1


def history_length(model: bytes) -> int:
    """Returns N of a recommender's file."""
    runner = Interpreter(model_content=model).get_signature_runner(SIGNATURE)
    return int(runner.get_input_details()[CONTEXT_MOVIE_ID]["shape"][1])


def random_inputs(model: bytes) -> dict[str, npt.NDArray[Any]]:
    """Draws what a recommender's file reads: arrays [HISTORIES, ...] by input name."""
    histories = random_histories(history_length(model), catalogue_size(model))
    ids = histories.astype(np.int64)
    further, _ = further_probes(ids, ids, TopKModel(model, "model").inputs)
    return {CONTEXT_MOVIE_ID: histories, **further}


def measure_file(path: Path, top_ks: list[int], invocations: int) -> list[dict[str, Any]]:
    """Measures a file that was converted from a trained model.

    Args:
        path: The `.tflite` file.
        top_ks: Values of K; none: as it is.
        invocations: How many to time.
    """
    content = path.read_bytes()
    movies, length = catalogue_size(content), history_length(content)
    models: dict[int | None, bytes] = {top_k: with_top_k(content, top_k) for top_k in top_ks}
    models = models or {None: content}
    return [
        {
            "model": path.name,
            "trained": True,
            "history": length,
            "movies": movies,
            "top_k": top_k,
            "bytes": len(model),
            **measure(model, random_inputs(model), invocations),
        }
        for top_k, model in models.items()
    ]


def measure_shapes(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Builds, converts and measures untrained models of every combination that was asked for."""
    rows = []
    for encoder in arguments.encoders:
        for dim in arguments.dim:
            for length in arguments.history:
                files = convert_untrained(encoder, dim, length, arguments.movies)
                for variant, content in files.items():
                    for top_k in arguments.top_k or [100]:
                        model = with_top_k(content, top_k)
                        rows.append(
                            {
                                "model": f"{encoder}-{dim}-{variant}",
                                "trained": False,
                                "history": length,
                                "movies": arguments.movies,
                                "top_k": top_k,
                                "bytes": len(model),
                                **measure(model, random_inputs(model), arguments.invocations),
                            }
                        )
    return rows


def convert_untrained(encoder: str, dim: int, length: int, movies: int) -> dict[str, bytes]:
    """Returns all variants of an untrained model.

    Args:
        encoder: Name of the encoder, all its other settings being the defaults.
        dim: Width of the item vectors.
        length: N.
        movies: Size of the catalogue.
    """
    # Heavy imports that files do not need, and that take memory and time on the same machine.
    import keras

    from components.tflite_converter import worker
    from modules.models import serving
    from modules.models.recommender import Recommender
    from pipeline.config.model import ModelConfig

    keras.utils.set_random_seed(1)
    config = ModelConfig.model_validate({"encoder": {"name": encoder}, "dim": dim})
    model = Recommender(config, history_length=length, movies=movies)
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        serving.export(model, f"{folder}/model", top_k=100)
        for variant in VARIANTS:
            output = Path(folder, variant)
            worker.main([f"{folder}/model", variant, str(output)])
            files[variant] = output.read_bytes()
    return files


def main() -> None:
    """Measures what the command line names, prints a table and writes the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help=".tflite files of trained models")
    parser.add_argument("--encoders", nargs="*", default=[], help="untrained models to build")
    parser.add_argument("--dim", nargs="+", type=int, default=[32, 64])
    parser.add_argument("--history", nargs="+", type=int, default=[10], help="N, events")
    parser.add_argument("--top-k", nargs="+", type=int, default=[], help="K, movies returned")
    parser.add_argument("--movies", type=int, default=3416, help="of untrained models")
    parser.add_argument("--invocations", type=int, default=5000)
    parser.add_argument("--name", default="device_latency", help="of the result's file")
    arguments = parser.parse_args()
    if not arguments.files and not arguments.encoders:
        parser.error("give .tflite files, or --encoders to build")
    rows = [
        row
        for path in arguments.files
        for row in measure_file(path, arguments.top_k, arguments.invocations)
    ]
    rows += measure_shapes(arguments)
    print(tabulate(rows, headers="keys", floatfmt=".4f"))
    load = os.getloadavg()[0]
    path = write_result(
        arguments.name,
        {"threads": 1, "invocations": arguments.invocations, "load_average": load, "rows": rows},
    )
    print(f"load average {load:.1f}; written to {path}")


if __name__ == "__main__":
    main()
