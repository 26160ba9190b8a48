"""Stores the constants of a float32 graph in few bits."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from components.tflite_converter.codes import (
    Codes,
    FloatArray,
    encode,
    encode_closest,
    encode_exactly,
)
from components.tflite_converter.graph import Graph
from components.tflite_converter.lookups import look_up_codes, reads_rows
from components.tflite_converter.stored_codes import HYBRID_VERSIONS, store

MIN_ELEMENTS = 256
"""Smaller constants stay as they are: the description of codes takes as much as they save."""

_KIND = schema.BuiltinOperator


class Bits(enum.IntEnum):
    """Bits of weights that were not trained for fewer."""

    EIGHT = 8
    FOUR = 4


class Role(enum.Enum):
    """What an operator does with a constant."""

    TABLE = enum.auto()
    MATRIX = enum.auto()
    KERNEL = enum.auto()
    DEPTHWISE_KERNEL = enum.auto()
    OTHER = enum.auto()


_ROLES = {
    _KIND.FULLY_CONNECTED: Role.MATRIX,
    _KIND.CONV_2D: Role.KERNEL,
    _KIND.DEPTHWISE_CONV_2D: Role.DEPTHWISE_KERNEL,
}
_CHANNEL_AXES = {Role.KERNEL: 0, Role.DEPTHWISE_KERNEL: 3}


def store_weights(graph: Graph, bits: Bits) -> None:
    """Stores large constants of look-ups, products and convolutions as integers.

    Activations stay in float32; products quantize them as they run. Weights that are small
    integers times one step already, as training for few bits leaves them, keep their values and
    take the bits that they were trained for. All others are rounded: tables with one step, as one
    for each row takes 4 bytes of a row; matrices of 4 bits with a step for each row, which such
    coarse weights need; kernels of convolutions to 8 bits, with a step for each channel.

    Args:
        graph: Changed in place.
        bits: Of what is rounded.
    """
    stored = set()
    for tensor, roles in _roles(graph).items():
        weights = _large(graph, tensor)
        codes = None if weights is None else _codes(weights, roles, bits)
        if codes is not None:
            store(graph, tensor, codes)
            stored.add(tensor)
    operators = []
    for operator in graph.operators:
        if _role(graph, operator) is Role.TABLE and int(operator.inputs[0]) in stored:
            operators += look_up_codes(graph, operator)
        else:
            if len(operator.inputs) > 1 and int(operator.inputs[1]) in stored:
                _read_codes(graph, operator)
            operators.append(operator)
    graph.operators = operators


def matrices_of_few_bits(graph: Graph) -> set[int]:
    """Returns the numbers of matrices and tables that 4 bits or fewer hold without loss."""
    return {
        tensor
        for tensor, roles in _roles(graph).items()
        if roles <= {Role.TABLE, Role.MATRIX}
        and (weights := _large(graph, tensor)) is not None
        and (codes := encode_exactly(weights)) is not None
        and codes.bits < Bits.EIGHT
    }


def tables(graph: Graph) -> set[int]:
    """Returns the numbers of large constants whose rows are looked up."""
    return {
        tensor
        for tensor, roles in _roles(graph).items()
        if Role.TABLE in roles and _large(graph, tensor) is not None
    }


def _large(graph: Graph, tensor: int) -> FloatArray | None:
    weights = graph.constant(tensor)
    if weights is None or weights.dtype != np.float32 or weights.size < MIN_ELEMENTS:
        return None
    return weights


def _roles(graph: Graph) -> dict[int, set[Role]]:
    found: dict[int, set[Role]] = {}
    for operator in graph.operators:
        role = _role(graph, operator)
        weights_place = 0 if role is Role.TABLE else 1
        for place, tensor in enumerate(operator.inputs):
            if tensor >= 0:
                is_weights = place == weights_place
                found.setdefault(int(tensor), set()).add(role if is_weights else Role.OTHER)
    return found


def _role(graph: Graph, operator: Any) -> Role:
    if reads_rows(graph, operator):
        return Role.TABLE
    return _ROLES.get(graph.kind(operator), Role.OTHER)


def _codes(weights: FloatArray, roles: set[Role], bits: Bits) -> Codes | None:
    if roles <= {Role.TABLE, Role.MATRIX} and weights.ndim == 2:
        codes = encode_exactly(weights)
        if Role.TABLE not in roles:
            axis = 0 if bits is Bits.FOUR else None
            return codes or _rounded(weights, bits, axis=axis)
        width = weights.shape[1]
        if codes is not None:
            return dataclasses.replace(codes, bits=_bits_of_rows(width, codes.bits))
        return _rounded(weights, _bits_of_rows(width, bits))
    if len(roles) == 1 and (axis := _CHANNEL_AXES.get(next(iter(roles)))) is not None:
        return encode(weights, 8, axis=axis)
    return None


def _rounded(weights: FloatArray, bits: int, *, axis: int | None = None) -> Codes:
    return (encode if bits == Bits.EIGHT else encode_closest)(weights, bits, axis=axis)


def _bits_of_rows(width: int, bits: int) -> int:
    """Returns as few bits as fill whole bytes in every row: LiteRT looks up no others."""
    return next(wide for wide in (2, 4, 8) if wide >= bits and width * wide % 8 == 0)


def _read_codes(graph: Graph, operator: Any) -> None:
    kind = graph.kind(operator)
    graph.set_kind(operator, kind, HYBRID_VERSIONS[kind])
    if kind == _KIND.FULLY_CONNECTED:
        options = operator.builtinOptions or schema.FullyConnectedOptionsT()
        options.asymmetricQuantizeInputs = True
        operator.builtinOptions = options
        operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
