from __future__ import annotations

from modules.training.columns import Columns, needed_columns
from pipeline.config.model import ModelConfig
from pipeline.config.training import TrainingConfig


def test_ids_alone_where_nothing_else_is_used() -> None:
    assert needed_columns(ModelConfig(), TrainingConfig()) == Columns(rating=False, time=False)


def test_weights_by_rating_need_the_ratings() -> None:
    training = TrainingConfig(rating_share=0.5)
    assert needed_columns(ModelConfig(), training) == Columns(rating=True, time=False)


def test_event_features_need_their_columns() -> None:
    def needed(**features: bool) -> Columns:
        model = ModelConfig.model_validate({"event_features": features})
        return needed_columns(model, TrainingConfig())

    assert needed(rating=True) == Columns(rating=True, time=False)
    assert needed(gap=True) == needed(age=True) == Columns(rating=False, time=True)


def test_user_features_need_the_attributes() -> None:
    model = ModelConfig.model_validate({"user_features": {"age": True}})
    assert needed_columns(model, TrainingConfig()) == Columns(rating=False, time=False, user=True)


def test_the_rating_head_needs_the_ratings() -> None:
    model = ModelConfig.model_validate({"rating_head": {"weight": 0.2}})
    assert needed_columns(model, TrainingConfig()).rating
