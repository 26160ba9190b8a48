from __future__ import annotations

from typing import get_args

import pytest

from modules.models.encoders.base import build_encoder, encoder_names
from pipeline.config.model import BowConfig, EncoderConfig
from pipeline.errors import ConfigError


def test_every_encoder_has_its_settings_and_the_other_way_round() -> None:
    sections = get_args(get_args(EncoderConfig)[0])
    assert encoder_names() == sorted(section().name for section in sections)


def test_an_unknown_encoder_names_the_others() -> None:
    config = BowConfig.model_construct(name="base")  # type: ignore[arg-type]
    names = ", ".join(encoder_names())
    with pytest.raises(ConfigError, match=rf"'base' has no module.*{names}"):
        build_encoder(config, dim=4, history_length=5, dropout=0.0)
