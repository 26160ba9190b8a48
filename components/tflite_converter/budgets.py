"""Variants of an elastic model for budgets that are known beforehand: the gate judges them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components.tflite_converter.convert import ConversionError
from components.tflite_converter.elastic_budget import BudgetTooSmallError, Fitted, Size, fit
from modules.models.item_tables.elastic_master import FILE, ElasticMaster
from modules.models.serving import ASSETS_FOLDER

METADATA_RESERVE = 2048
"""Bytes of a budget that are kept for what the bundle writes into the file."""


def read_master(saved_model: str) -> ElasticMaster:
    """Reads the whole table that an elastic model leaves beside its graph.

    Args:
        saved_model: Folder of the SavedModel.

    Raises:
        ConversionError: The model has none.
    """
    path = Path(saved_model, ASSETS_FOLDER, FILE)
    if not path.is_file():
        raise ConversionError(
            f"{saved_model}: conversion.budgets cut files from an elastic item table, and this "
            "model has none; set model.item_table to elastic, or conversion.budgets to []"
        )
    return ElasticMaster.from_bytes(path.read_bytes(), str(path))


def budget_file(
    bases: Sequence[bytes], master: ElasticMaster, budget: int, *, size: Size = len
) -> bytes:
    """Makes the file of a budget, with room for what a bundle writes into it.

    Args:
        bases: Variants that can give all but the table. The one that leaves most room for it does,
            of equals the first: numbers of the table are worth more than those of the encoder.
        master: The table.
        budget: Most bytes of the file in a bundle.
        size: Bytes as which a file counts.

    Raises:
        ConversionError: The budget is too small for each, or one has no table to replace.
    """
    fitted: list[Fitted] = []
    problem = ConversionError("there is no variant to cut a file from")
    for base in bases:
        try:
            fitted.append(fit(base, master, budget - METADATA_RESERVE, size=size))
        except BudgetTooSmallError as error:
            problem = error
    if not fitted:
        raise problem
    return max(fitted, key=lambda file: file.table_bytes).content
