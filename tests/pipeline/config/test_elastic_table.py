"""Elastic tables that cannot be are refused before anything is trained."""

from __future__ import annotations

import pytest

from pipeline.config.root import load_config
from pipeline.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("{name: elastic, groups: 3}", "3 groups would have one table: set refinement to {}"),
        (
            "{name: elastic, blocks: 4, smallest: 5}",
            "smallest is 5, of 4 blocks: set it to 4 at most, or raise blocks",
        ),
        (
            "{name: elastic, full_share: 0.6, smallest_share: 0.5}",
            "full_share 0.6 and smallest_share 0.5 are more than all of training: lower one",
        ),
        ("{name: elastic, width: 40, blocks: 8, bits: 4}", "whole bytes"),
        ("{name: elastic, width: 44, blocks: 8}", "8 equal blocks do not make a width of 44"),
    ],
)
def test_what_is_wrong_is_said(settings: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(None, [f"model.item_table={settings}"])
    assert why in str(refused.value)


def test_a_smallest_size_is_kept() -> None:
    config = load_config(None, ["model.item_table={name: elastic, blocks: 8, smallest: 8}"])
    assert config.model.item_table.model_dump()["smallest"] == 8
