from __future__ import annotations

import pytest

from pipeline.config.budgets import budget_name, size_text


@pytest.mark.parametrize(
    ("budget", "group", "name", "text"),
    [
        (65536, 0, "elastic_64kb", "64KB"),
        (2 * 1024**2, 3, "elastic_2mb_group_3", "2MB"),
        (65537, 0, "elastic_65537b", "65KB"),
        (999, 0, "elastic_999b", "999B"),
    ],
)
def test_names_of_budgets(budget: int, group: int, name: str, text: str) -> None:
    assert budget_name(budget, group) == name
    assert size_text(budget) == text
