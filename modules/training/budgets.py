"""What an elastic model is worth at each budget, from the weights alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modules.models.item_tables.elastic import ElasticTable
from modules.models.recommender import Recommender
from modules.training.evaluation import HeldOutEvaluation
from modules.training.input import Windows
from pipeline.errors import ConfigError


def metrics_of_budgets(
    model: Recommender, windows: Windows, table_bytes: Sequence[int]
) -> dict[int, Mapping[str, float]]:
    """Evaluates a model with its table cut to budgets.

    Args:
        model: With a table `elastic`.
        windows: Held-out windows.
        table_bytes: Bytes that the table's numbers may take, without the rest of a file.

    Returns:
        Metrics of each, as `HeldOutEvaluation` names them.

    Raises:
        ConfigError: The model has no such table, or a budget is too small for the first blocks.
    """
    (table, *_) = model.item_tables
    if not isinstance(table, ElasticTable):
        raise ConfigError(
            f"model.item_table is {model.config.item_table.name}: only elastic tables have budgets"
        )
    found = {}
    for budget in table_bytes:
        layout = table.layout_of_bytes(budget)
        if layout is None:
            raise ConfigError(f"a table of {budget} bytes does not hold the first blocks")
        with table.limited_to(layout):
            found[budget] = HeldOutEvaluation(model, windows)()
    return found
