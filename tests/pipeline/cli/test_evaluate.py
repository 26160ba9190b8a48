"""`pocketrec evaluate` on a small release in MovieLens' format, worked out by hand."""

import json
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.config.root import Config
from tests.device import toy

HEADER = "userId,movieId,rating,timestamp"


def timelines() -> list[list[int]]:
    """Twenty users in the model's numbers; 41 is a movie that the model does not know."""
    after_one = [[1, 2]] * 10  # rank 1
    after_three = [[1, 4]] * 5  # 2, 3 and 4: rank 3
    unknown = [[1, 41]] * 4  # the target is unknown: a miss
    return [*after_one, *after_three, *unknown, [41, 5]]  # no known past: no case


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "ml-tiny"
    folder.mkdir()
    rows = [
        f"{user},{toy.raw_id(number)},4.0,{1_000_000_000 + place}"
        for user, timeline in enumerate(timelines(), start=1)
        for place, number in enumerate(timeline)
    ]
    (folder / "ratings.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    movies = [
        f'{toy.raw_id(number)},"Film {number} (2000)",Drama' for number in range(1, toy.MOVIES + 2)
    ]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *movies]) + "\n")
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    config = Config()
    data = config.data.model_copy(update={"min_ratings_per_movie": 1, "min_ratings_per_user": 1})
    return toy.bundle(tmp_path, config=config.model_copy(update={"data": data}))


def test_metrics_by_hand(bundle: Path, release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", str(bundle), "--data", str(release), "--json"]
    assert main([*words, "--workspace", str(release.parent / "workspace")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["users"] == 20
    assert report["targets"] == 19
    assert report["targets_not_in_vocabulary"] == 4
    assert report["variant"] == "int8"
    values = {name: entry["value"] for name, entry in report["metrics"].items()}
    assert values == pytest.approx(
        {
            "recall_at_1": 10 / 19,
            "recall_at_5": 15 / 19,
            "recall_at_10": 15 / 19,
            "recall_at_50": 15 / 19,
            "ndcg_at_10": (10 + 5 / 2) / 19,
            "mrr": (10 + 5 / 3) / 19,
        }
    )
    assert report["metrics"]["recall_at_10"]["low"] < 15 / 19
    assert report["metrics"]["recall_at_10"]["high"] > 15 / 19
    assert report["notes"] == []


def test_minimum_counts_are_those_of_the_bundle(
    tmp_path: Path, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config()
    data = config.data.model_copy(update={"min_ratings_per_movie": 5, "min_ratings_per_user": 2})
    bundle = toy.bundle(tmp_path, config=config.model_copy(update={"data": data}))
    main(["evaluate", str(bundle), "--data", str(release), "--json"])
    # Movie 5 (1 rating) goes; movie 41 has 5, of which user 20's is alone then and goes, too.
    report = json.loads(capsys.readouterr().out)
    assert (report["users"], report["targets"]) == (19, 19)


def test_the_table_names_the_intervals(
    bundle: Path, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(bundle), "--data", str(release)]) == 0
    shown = capsys.readouterr().out
    assert "recall_at_10  0.7895" in shown
    assert "Wilson" in shown


def test_another_split_is_noted(
    tmp_path: Path, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config()
    split = config.data.split.model_copy(update={"strategy": "temporal"})
    data = config.data.model_copy(
        update={"split": split, "min_ratings_per_movie": 1, "min_ratings_per_user": 1}
    )
    bundle = toy.bundle(tmp_path, config=config.model_copy(update={"data": data}))
    main(["evaluate", str(bundle), "--data", str(release)])
    assert "trained with the split temporal" in capsys.readouterr().out


def test_data_that_the_model_knows_nothing_of_is_an_error(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "foreign"
    folder.mkdir()
    rows = [f"1,{movie},4.0,{1_000_000_000 + movie}" for movie in (5001, 5002)]
    (folder / "ratings.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (folder / "movies.csv").write_text("movieId,title,genres\n5001,A (2000),Drama\n5002,B,Drama\n")
    assert main(["evaluate", str(bundle), "--data", str(folder)]) == 2
    assert "no user of this data makes a case" in capsys.readouterr().err


def test_a_damaged_bundle_is_refused(
    bundle: Path, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / "int8.tflite").write_bytes(b"damaged")
    assert main(["evaluate", str(bundle), "--data", str(release)]) == 2
    assert "int8.tflite: sha256 is" in capsys.readouterr().err


def test_a_budget_chooses_what_is_evaluated(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config()
    data = config.data.model_copy(update={"min_ratings_per_movie": 1, "min_ratings_per_user": 1})
    metrics = {"overall": {"recall_at_10": 0.2, "ndcg_at_10": 0.1, "recall_at_10_float32": 0.3}}
    bundle = toy.bundle(tmp_path, config=config.model_copy(update={"data": data}), metrics=metrics)
    words = ["evaluate", str(bundle), "--data", str(release), "--json"]
    words += ["--workspace", str(release.parent / "workspace")]
    size = (bundle / "float32.tflite").stat().st_size
    for budget, variant in ((size, "float32"), (size - 1, "int8")):
        assert main([*words, "--budget", str(budget)]) == 0
        assert json.loads(capsys.readouterr().out)["variant"] == variant
