"""The manifest's device part inside the `.tflite`, for apps that get the model file alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from components.tflite_converter.flatbuffer import embed_metadata
from pipeline.errors import RegistryError
from pocketrec_device.manifest import SIGNATURE

METADATA_NAME = "pocketrec"

_PROBES = 16
_PROBE_SEED = 20
_LARGEST_LOG2 = 30.0


def embed_manifest(model: bytes, contract: Mapping[str, Any]) -> bytes:
    """Returns the model with `contract` as its metadata named `METADATA_NAME`.

    What was gated is the model without it, so the answers must stay the same to the last bit.

    Args:
        model: A `.tflite`.
        contract: The device contract; see `bundle.device_contract`.

    Raises:
        RegistryError: The model answers differently afterwards.
    """
    payload = json.dumps(contract, ensure_ascii=False, sort_keys=True).encode()
    embedded = embed_metadata(model, METADATA_NAME, payload)
    probes = _probes(contract["signature"]["inputs"], contract["vocabulary"]["size"])
    before, after = _answers(model, probes), _answers(embedded, probes)
    for name, expected in before.items():
        if not np.array_equal(expected, after[name], equal_nan=True):
            raise RegistryError(
                f"the model answers differently once metadata is embedded (output {name}); "
                "it is not shipped"
            )
    return embedded


def _probes(inputs: Sequence[Mapping[str, Any]], movies: int) -> dict[str, npt.NDArray[Any]]:
    """Draws values of every input.

    Args:
        inputs: The contract's.
        movies: Size of the vocabulary.

    Returns:
        Arrays [probes, ...] by name: histories of growing length, padded on the left, and with
        them numbers of any size from 1 on.
    """
    random = np.random.default_rng(_PROBE_SEED)
    ids, *others = inputs
    length = ids["shape"][1]
    histories = random.integers(1, movies, (_PROBES, length), endpoint=True, dtype=np.int32)
    known = np.linspace(1, length, _PROBES).astype(int)
    events = np.arange(length) >= length - known[:, np.newaxis]
    drawn = {ids["name"]: np.where(events, histories, 0).astype(np.int32)}
    for entry in others:
        width = entry["shape"][1]
        values = np.exp2(random.uniform(0, _LARGEST_LOG2, (_PROBES, width)))
        if width == length:
            values = np.where(events, values, 0)
        drawn[entry["name"]] = values.astype(entry["dtype"])
    return drawn


def _answers(
    model: bytes, probes: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[np.float32]]:
    run = Interpreter(model_content=model, num_threads=1).get_signature_runner(SIGNATURE)
    answers: dict[str, npt.NDArray[np.float32]] = run(**probes)
    return answers
