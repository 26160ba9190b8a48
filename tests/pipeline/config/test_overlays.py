"""The overlays that ship can be laid over the configuration that they name."""

from __future__ import annotations

import pytest

from pipeline.config.root import CONFIGS_DIR, load_config

STUDENT = CONFIGS_DIR / "compression" / "student.yaml"


@pytest.mark.parametrize("table", [None, "semi_tensor", "codebooks", "elastic"])
def test_a_student_can_have_any_table(table: str | None) -> None:
    overrides = [] if table is None else [f"model.item_table={table}"]
    config = load_config(CONFIGS_DIR / "ml-1m.yaml", overrides, [STUDENT])
    assert config.model.item_table.name == (table or "dense")
    assert config.training.matching is not None
    assert config.registry.model_name != "pocketrec"
    assert [teacher.model_dump() for teacher in config.training.given_teachers] == [
        {"registered": 1, "model_name": "pocketrec"}
    ]
