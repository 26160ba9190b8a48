"""The assets of TensorFlow's Android recommendation app, so that its user swaps files and it works.

The app (tensorflow/examples, lite/examples/recommendation/android) reads `config.json`,
`sorted_movie_vocab.json`, `movie_genre_vocab.txt` and the model that the first names. What it does
with them decides what stands in them:

- it feeds the vocabulary's `id` values: they are the model's ids, not the release's;
- it feeds a plain `int[N]` and reads `int[K]` and `float[K]`; its interpreter takes over the shape
  of what it is fed and refuses to copy into another shape. So the model takes one history, of rank
  one, without the batch dimension: `without_batch` makes that of the model that was gated;
- it feeds ids alone: for a model that reads ratings or times there are no assets;
- it takes a config that names a genre list, without a genre input, for invalid. The genres are
  shipped for apps that show them, and the config does not mention them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.tflite_converter import flatbuffer
from modules.features import CONTEXT_MOVIE_ID, TOP_PREDICTION_IDS, TOP_PREDICTION_SCORES
from pipeline.errors import RegistryError
from pocketrec_device.bundle import Movie
from pocketrec_device.manifest import SIGNATURE

CONFIG_FILE = "config.json"
MOVIES_FILE = "sorted_movie_vocab.json"
GENRES_FILE = "movie_genre_vocab.txt"
UNKNOWN_GENRE = "UNK"

_SHOWN_RESULTS = 10
_FAVOURITES = 100


def android_assets(
    model: bytes, movies: Sequence[Movie], *, encoder: str, history_length: int, top_k: int
) -> dict[str, bytes]:
    """Returns the app's asset files by name.

    Args:
        model: The gated `.tflite`.
        movies: The vocabulary, by the model's id.
        encoder: Encoder's name, for the model's file name.
        history_length: N.
        top_k: K.
    """
    model_file = f"recommendation_{encoder}_i{history_length}o{top_k}.tflite"
    single = without_batch(model, history_length=history_length, top_k=top_k)
    names = output_names(single)
    config = {
        "model": model_file,
        "inputs": [{"name": "movieFeature", "index": 0, "inputLength": history_length}],
        "movieList": MOVIES_FILE,
        "topK": min(_SHOWN_RESULTS, top_k),
        "outputLength": top_k,
        "outputIdsIndex": names.index(TOP_PREDICTION_IDS),
        "outputScoresIndex": names.index(TOP_PREDICTION_SCORES),
        "pad": 0,
        "favoriteListSize": min(_FAVOURITES, len(movies)),
    }
    listed = [
        {
            "id": movie.id,
            "title": movie.title,
            "genres": list(movie.genres),
            "count": movie.count,
        }
        for movie in sorted(movies, key=lambda movie: (-movie.count, movie.id))
    ]
    return {
        CONFIG_FILE: _json(config),
        MOVIES_FILE: _json(listed),
        GENRES_FILE: "".join(f"{genre}\n" for genre in genre_vocabulary(movies)).encode(),
        model_file: single,
    }


def genre_vocabulary(movies: Sequence[Movie]) -> list[str]:
    """Returns the genres by falling number of movies, ties by name, behind the unknown genre."""
    counts = Counter(genre for movie in movies for genre in movie.genres)
    return [UNKNOWN_GENRE, *sorted(counts, key=lambda genre: (-counts[genre], genre))]


def output_names(model: bytes) -> list[str]:
    """Returns the signature's names of a model's outputs, in the order of their index."""
    parsed = flatbuffer.parse(model)
    (subgraph,) = parsed.subgraphs
    by_tensor = {entry.tensorIndex: _text(entry.name) for entry in _signature(parsed).outputs}
    return [by_tensor[int(tensor)] for tensor in subgraph.outputs]


def without_batch(model: bytes, *, history_length: int, top_k: int) -> bytes:
    """Returns the model with inputs and outputs of rank one, for a single history.

    A reshape is put before the input and behind each output; weights and operators stay.

    Args:
        model: A `.tflite` that takes [batch, N] and returns [batch, K].
        history_length: N.
        top_k: K.

    Raises:
        RegistryError: The model's signature is not the device contract's.
    """
    parsed = flatbuffer.parse(model)
    if len(parsed.subgraphs) != 1:
        raise RegistryError(
            f"the model has {len(parsed.subgraphs)} subgraphs; the Android assets need one"
        )
    signature = _signature(parsed)
    names = [_text(entry.name) for entry in signature.inputs]
    outputs = {_text(entry.name): entry for entry in signature.outputs}
    if names != [CONTEXT_MOVIE_ID] or set(outputs) != {TOP_PREDICTION_IDS, TOP_PREDICTION_SCORES}:
        raise RegistryError(
            f"the model takes {names} and returns {sorted(outputs)}; the app feeds "
            f"{CONTEXT_MOVIE_ID} alone, and reads {TOP_PREDICTION_IDS} with "
            f"{TOP_PREDICTION_SCORES}"
        )
    editor = _Editor(parsed)
    (entry,) = signature.inputs
    batched = int(entry.tensorIndex)
    single = editor.add_tensor_like(batched, [history_length])
    editor.reshape(single, batched, [1, history_length], first=True)
    editor.subgraph.inputs = np.asarray([single], np.int32)
    entry.tensorIndex = single
    replaced = {}
    for output in outputs.values():
        batched = int(output.tensorIndex)
        single = editor.add_tensor_like(batched, [top_k])
        editor.reshape(batched, single, [top_k], first=False)
        output.tensorIndex = replaced[batched] = single
    editor.subgraph.outputs = np.asarray(
        [replaced[int(tensor)] for tensor in editor.subgraph.outputs], np.int32
    )
    return flatbuffer.serialize(parsed)


class _Editor:
    """Adds tensors and reshapes to the one subgraph of a parsed model."""

    def __init__(self, model: Any) -> None:
        self.model = model
        (self.subgraph,) = model.subgraphs
        self.subgraph.tensors = list(self.subgraph.tensors)
        self.subgraph.operators = list(self.subgraph.operators)
        self._opcode = self._reshape_opcode()

    def add_tensor_like(self, index: int, shape: list[int]) -> int:
        """Adds a tensor of `shape` that takes over type and name of tensor `index`."""
        original = self.subgraph.tensors[index]
        name, original.name = original.name, None
        return self._add(name, shape, original.type, buffer=0)

    def reshape(self, source: int, target: int, shape: list[int], *, first: bool) -> None:
        """Adds an operator that copies tensor `source` as `shape` into tensor `target`."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.asarray(shape, "<i4").tobytes(), np.uint8)
        self.model.buffers = [*self.model.buffers, buffer]
        constant = self._add(
            None, [len(shape)], schema.TensorType.INT32, buffer=len(self.model.buffers) - 1
        )
        # What follows a fixed shape has a fixed shape too.
        self.subgraph.tensors[target].shape = np.asarray(shape, np.int32)
        self.subgraph.tensors[target].shapeSignature = None
        operator = schema.OperatorT()
        operator.opcodeIndex = self._opcode
        operator.inputs = np.asarray([source, constant], np.int32)
        operator.outputs = np.asarray([target], np.int32)
        operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
        operator.builtinOptions = schema.ReshapeOptionsT()
        operator.builtinOptions.newShape = np.asarray(shape, np.int32)
        self.subgraph.operators.insert(0 if first else len(self.subgraph.operators), operator)

    def _add(self, name: bytes | str | None, shape: list[int], kind: int, *, buffer: int) -> int:
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = np.asarray(shape, np.int32)
        tensor.type = kind
        tensor.buffer = buffer
        self.subgraph.tensors.append(tensor)
        return len(self.subgraph.tensors) - 1

    def _reshape_opcode(self) -> int:
        reshape = schema.BuiltinOperator.RESHAPE
        for index, opcode in enumerate(self.model.operatorCodes):
            if max(opcode.builtinCode, opcode.deprecatedBuiltinCode) == reshape:
                return index
        opcode = schema.OperatorCodeT()
        opcode.builtinCode = opcode.deprecatedBuiltinCode = reshape
        opcode.version = 1
        self.model.operatorCodes = [*self.model.operatorCodes, opcode]
        return len(self.model.operatorCodes) - 1


def _signature(model: Any) -> Any:
    for signature in model.signatureDefs or []:
        if _text(signature.signatureKey) == SIGNATURE:
            return signature
    raise RegistryError(f"the model has no signature {SIGNATURE!r}; convert it again")


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
