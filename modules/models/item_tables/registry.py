"""Finds a kind of item table by the name in its configuration."""

from __future__ import annotations

import importlib

from modules.models.item_tables.base import ItemTable, TableSpec
from pipeline.config.item_table import ItemTableConfig


def build_item_table(config: ItemTableConfig, spec: TableSpec) -> ItemTable:
    """Builds the table that `config.name` names.

    Args:
        config: The table's section.
        spec: What it is made for.
    """
    module = importlib.import_module(f"modules.models.item_tables.{config.name}")
    table: ItemTable = module.build(config, spec)
    return table
