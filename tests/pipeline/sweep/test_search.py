"""What is drawn, and what a killed process leaves to the next one: Optuna on real sqlite."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.config.sweep import SweepConfig
from pipeline.sweep.search import Search
from pipeline.sweep.space import grid

GRID = {"model.encoder": [{"name": "bow"}, {"name": "cnn"}], "model.dim": [16, 8]}
RANGES = {
    "model.dim": {"low": 4, "high": 64},
    "training.optimizer.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "model.tied": [True, False],
}


def study(**changes: Any) -> SweepConfig:
    return SweepConfig.model_validate({"name": "s", "base": {}, "parameters": GRID, **changes})


def opened(folder: Path, config: SweepConfig) -> Search:
    """Opens the study as another process would."""
    return Search(config, "0", folder / "optuna.db")


def run(search: Search, value: float = 0.5) -> dict[str, Any]:
    """Runs the next trial to a good end and returns its values."""
    draw = search.next()
    assert draw is not None
    search.finish(draw, value, {"mean": value})
    return dict(draw.values)


def test_a_grid_is_drawn_in_order_and_once_over_several_processes(tmp_path: Path) -> None:
    config = study()
    drawn = [run(opened(tmp_path, config)) for _ in range(4)]
    assert drawn == grid(config.parameters)
    assert opened(tmp_path, config).next() is None
    assert [trial.place for trial in opened(tmp_path, config).finished()] == [1, 2, 3, 4]


def test_cases_are_drawn_by_name(tmp_path: Path) -> None:
    config = study(cases={"b": {"model.dim": 8}, "a": {}}, parameters={"model.tied": [True, False]})
    drawn = [run(opened(tmp_path, config)) for _ in range(4)]
    assert [(values["case"], values["model.tied"]) for values in drawn] == [
        ("b", True),
        ("b", False),
        ("a", True),
        ("a", False),
    ]


def test_no_more_trials_than_asked_for_and_later_more(tmp_path: Path) -> None:
    first = opened(tmp_path, study(trials=1))
    run(first)
    assert first.next() is None
    assert run(opened(tmp_path, study(trials=2))) == grid(study().parameters)[1]


def test_a_killed_trial_is_run_once_more_and_then_has_failed(tmp_path: Path) -> None:
    config = study()
    run(opened(tmp_path, config))
    killed = opened(tmp_path, config).next()
    assert killed is not None

    second = opened(tmp_path, config)
    assert second.recover() == ([2], [])
    again = second.next()
    assert again is not None
    assert (again.place, again.values, again.attempt) == (2, killed.values, 2)
    assert [trial.place for trial in second.finished()] == [1]

    third = opened(tmp_path, config)
    assert third.recover() == ([], [2])
    last = third.finished()[-1]
    assert (last.place, last.failed) == (2, True)
    assert "killed, 2 times" in last.outcome["error"]
    following = third.next()
    assert following is not None
    assert following.place == 3


def test_a_trial_that_the_user_stopped_has_lost_no_attempt(tmp_path: Path) -> None:
    config = study()
    for _ in range(3):
        search = opened(tmp_path, config)
        assert search.recover() == ([], [])
        draw = search.next()
        assert draw is not None
        assert (draw.place, draw.attempt) == (1, 1)
        search.interrupt(draw)
    assert opened(tmp_path, config).finished() == []


def test_a_failed_trial_is_not_repeated_unless_asked_for(tmp_path: Path) -> None:
    config = study(trials=2)
    search = opened(tmp_path, config)
    draw = search.next()
    assert draw is not None
    search.fail(draw, {"error": "no luck"})
    run(search)
    assert opened(tmp_path, config).next() is None
    [failed, _] = opened(tmp_path, config).finished()
    assert (failed.failed, failed.outcome) == (True, {"error": "no luck"})

    retried = opened(tmp_path, config)
    assert retried.retry_failed() == [1]
    assert run(retried) == draw.values
    assert [trial.failed for trial in retried.finished()] == [False, False]


@pytest.mark.thorough
@pytest.mark.parametrize("search", [pytest.param("random", marks=pytest.mark.slow), "tpe"])
def test_what_is_drawn_does_not_depend_on_interruptions(tmp_path: Path, search: str) -> None:
    config = study(search=search, trials=13, parameters=RANGES, search_seed=3)

    def value(draw: dict[str, Any]) -> float:
        return float(draw["model.dim"]) / 100

    def finish(opened_search: Search) -> dict[str, Any]:
        draw = opened_search.next()
        assert draw is not None
        values = dict(draw.values)
        opened_search.finish(draw, value(values), {})
        return values

    (tmp_path / "whole").mkdir()
    whole = opened(tmp_path / "whole", config)
    expected = [finish(whole) for _ in range(13)]
    assert len({tuple(values.values()) for values in expected}) == 13
    assert all(4 <= v["model.dim"] <= 64 and isinstance(v["model.dim"], int) for v in expected)

    (tmp_path / "broken").mkdir()
    drawn = []
    broken = opened(tmp_path / "broken", config)
    for index in range(13):
        if index in (2, 11):
            assert broken.next() is not None
            broken = opened(tmp_path / "broken", config)
            broken.recover()
        drawn.append(finish(broken))
    assert drawn == expected


def test_another_seed_draws_others(tmp_path: Path) -> None:
    drawn = []
    for seed in (0, 1):
        config = study(search="random", trials=1, parameters=RANGES, search_seed=seed)
        drawn.append(run(Search(config, str(seed), tmp_path / "optuna.db")))
    assert drawn[0] != drawn[1]
