"""Tables and plots from results, by hand."""

from typing import Any

from pipeline.sweep.render import markdown, plot


def trial(place: int, encoder: str, length: int, recall: float, **more: Any) -> dict[str, Any]:
    mean = {
        "eval.recall_at_10": recall,
        "eval.ndcg_at_10": recall / 2,
        "int8.eval.recall_at_10": recall - 0.001,
        "int8.bytes": 138_600,
        "int8.latency_ms": 0.0214,
        "train_seconds": 90.0,
    }
    return {
        "trial": place,
        "state": "done",
        "parameters": {
            "model.encoder": {"name": encoder, "units": 8},
            "history": {"length": length, "stride": length},
        },
        "encoder": encoder,
        "history": length,
        "mean": mean,
        "spread": dict.fromkeys(mean, 0.0),
        "runs": [{}],
        **more,
    }


def study(*trials: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "study": "mine",
        "search": "grid",
        "objective": "recall_at_10",
        "seeds": [42],
        "report_test": False,
        "parameters": {"model.encoder": [], "history": []},
        "total": 5,
        "best": 1,
        "trials": list(trials),
        **more,
    }


def test_encoders_by_history_length_and_every_trial() -> None:
    text = markdown(
        study(trial(1, "cnn", 10, 0.25), trial(2, "cnn", 5, 0.2), trial(3, "lstm", 5, 0.21))
    )
    assert "| encoder      | N=5    | N=10   |\n" in text
    assert "| cnn units=8  | 0.2000 | 0.2500 |\n" in text
    assert "| lstm units=8 | 0.2100 |        |\n" in text
    row = "| 1       | cnn units=8  | 10  | 0.2500           | 0.1250         | 0.2490"
    assert row in text
    assert "| 139       | 0.021        | 1.5            |" in text
    assert "Best: trial 1 (model.encoder: cnn units=8, history: length=10 stride=10)." in text
    assert "3 of 5 trials are over, 0 of them failed" in text
    assert "on eval." in text


def test_several_seeds_show_their_spread() -> None:
    several = trial(1, "cnn", 10, 0.25, runs=[{}, {}])
    several["spread"]["eval.recall_at_10"] = 0.0021
    assert "0.2500 ± 0.0021" in markdown(study(several, seeds=[1, 2]))


def test_test_is_shown_only_where_it_is_reported() -> None:
    assert "test" not in markdown(study(trial(1, "cnn", 10, 0.25)))
    reported = trial(1, "cnn", 10, 0.25)
    reported["mean"] |= {
        "test.recall_at_10": 0.24,
        "test.ndcg_at_10": 0.12,
        "int8.test.recall_at_10": 0.239,
    }
    reported["spread"] = dict.fromkeys(reported["mean"], 0.0)
    text = markdown(study(reported, report_test=True))
    assert "| test recall@10" in text
    assert "never on test" in text


def test_failures_are_listed_with_their_reason() -> None:
    failed = {
        "trial": 1,
        "state": "failed",
        "parameters": {"model.dim": 8},
        "error": "was ended by SIGKILL\nand more",
    }
    text = markdown(study(failed, best=None))
    assert "| 1 | model.dim: 8 | was ended by SIGKILL |".replace(" ", "") in text.replace(" ", "")
    assert "and more" not in text
    assert plot(study(failed, best=None)) is None


def test_equal_results_give_equal_bytes_and_a_plot_names_its_lines() -> None:
    results = study(trial(1, "cnn", 10, 0.25), trial(2, "cnn", 5, 0.2), trial(3, "lstm", 5, 0.21))
    first, second = plot(results), plot(results)
    assert first is not None
    assert first == second
    for words in ("cnn units=8", "lstm units=8", "recall@10 on eval", "events of history (N)"):
        assert words in first
    assert "<dc:date>" not in first


def test_a_study_of_one_length_is_drawn_over_its_trials() -> None:
    drawn = plot(study(trial(1, "cnn", 10, 0.25), trial(2, "cnn", 10, 0.2)))
    assert drawn is not None
    assert ">trial<" in drawn
