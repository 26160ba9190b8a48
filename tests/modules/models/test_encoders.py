from __future__ import annotations

from typing import get_args

import keras
import numpy as np
import numpy.typing as npt
import pytest

from modules.models.encoders.base import build_encoder, encoder_names
from modules.models.recommender import Recommender
from pipeline.config.model import BowConfig, EncoderConfig, ModelConfig
from pipeline.errors import ConfigError


def test_every_encoder_has_its_settings_and_the_other_way_round() -> None:
    sections = get_args(get_args(EncoderConfig)[0])
    assert encoder_names() == sorted(section().name for section in sections)


def test_an_unknown_encoder_names_the_others() -> None:
    config = BowConfig.model_construct(name="base")  # type: ignore[arg-type]
    names = ", ".join(encoder_names())
    with pytest.raises(ConfigError, match=rf"'base' has no module.*{names}"):
        build_encoder(config, dim=4, history_length=5, dropout=0.0)


@pytest.mark.parametrize("name", encoder_names())
def test_weights_are_drawn_by_the_seed_and_each_for_itself(name: str) -> None:
    config = ModelConfig.model_validate({"encoder": {"name": name}, "dim": 8})

    def weights(seed: int) -> list[npt.NDArray[np.float32]]:
        keras.utils.set_random_seed(seed)
        model = Recommender(config, history_length=6, movies=9)
        return [variable.numpy() for variable in model.encoder.trainable_variables]

    first, again, other = weights(5), weights(5), weights(6)
    random = [place for place, value in enumerate(first) if np.ptp(value)]
    for place, value in enumerate(first):
        np.testing.assert_array_equal(value, again[place])
    # A mixer's distances start at fixed slopes, an LSTM's forget gates open.
    fixed = {place for place in random if np.array_equal(first[place], other[place])}
    assert len(fixed) == {"mixer": 2, "lstm": 1}.get(name, 0)
    drawn = [first[place].tobytes() for place in random if place not in fixed]
    assert len(set(drawn)) == len(drawn)
