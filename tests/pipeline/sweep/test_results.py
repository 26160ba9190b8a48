"""What is published of results, and which trial is the best."""

from typing import Any

from pipeline.sweep.results import best_trial, published


def done(place: int, recall: float) -> dict[str, Any]:
    return {"trial": place, "state": "done", "mean": {"eval.recall_at_10": recall}}


def test_the_best_is_the_first_of_the_highest_and_never_a_failure() -> None:
    trials = [{"trial": 1, "state": "failed"}, done(2, 0.3), done(3, 0.4), done(4, 0.4)]
    best = best_trial(trials, "recall_at_10")
    assert best is not None
    assert best["trial"] == 3
    assert best_trial(trials[:1], "recall_at_10") is None


def test_what_means_something_here_alone_is_not_published() -> None:
    failed = {"error": "e", "tail": "/home/me: ...", "log": "0001/log.txt"}
    run = {"seed": 1, "mlflow_run": "abc"}
    assert published({"trials": [failed, {"runs": [run]}]}) == {
        "trials": [{"error": "e"}, {"runs": [{"seed": 1}]}]
    }
