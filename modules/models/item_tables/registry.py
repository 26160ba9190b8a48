"""Finds a kind of item table by the name in its configuration."""

from __future__ import annotations

import importlib

from modules.models.item_features import ItemFeatures
from modules.models.item_tables.base import ItemTable
from pipeline.config.item_table import ItemTableConfig


def build_item_table(
    config: ItemTableConfig,
    *,
    name: str,
    movies: int,
    width: int,
    initial_std: float,
    unit_length: bool,
    features: ItemFeatures | None = None,
) -> ItemTable:
    """Builds the table that `config.name` names.

    Args:
        config: The table's section.
        name: Of its weights: `items` or `labels`.
        movies: Movies of the vocabulary; rows are 1..movies, and 0 for padding.
        width: Of a row.
        initial_std: Standard deviation of a dense row's values. Rows that share weights begin with
            a length near one.
        unit_length: Whether scores are cosines. Dense rows are then of length one; rows that share
            weights keep their own lengths, for a device would have to store them.
        features: Of the movies, for a dense table whose model asks for any.
    """
    module = importlib.import_module(f"modules.models.item_tables.{config.name}")
    table: ItemTable = module.build(
        config,
        name=name,
        movies=movies,
        width=width,
        initial_std=initial_std,
        unit_length=unit_length,
        features=features,
    )
    return table
