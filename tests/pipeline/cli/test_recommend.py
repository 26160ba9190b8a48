"""`pocketrec recommend`."""

import json
import re
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.workspace import Workspace
from tests.device import toy
from tests.device.test_users import user_models
from tests.pipeline.cli.registry_place import workspace_with_versions


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return workspace_with_versions(tmp_path_factory.mktemp("recommend"), 1)


def recommend(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[list[str], str]:
    """Returns the recommended titles and what was said on the error output."""
    main(["recommend", *words, "--json", "--workspace", str(workspace.root)])
    captured = capsys.readouterr()
    answer = json.loads(captured.out) if captured.out else {"recommendations": []}
    return [movie["title"] for movie in answer["recommendations"]], captured.err


AFTER_MATRIX = [toy.TITLES[2], toy.TITLES[3]]


@pytest.mark.parametrize("model", [["champion"], ["1"], ["v1"], []])
def test_titles_follow_the_model_which_may_be_left_out(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], model: list[str]
) -> None:
    found, _ = recommend(workspace, capsys, *model, "Toy Story (1995)", "The Matrix", "-k", "2")
    assert found == AFTER_MATRIX


def test_a_bundles_folder_is_a_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bundle = toy.bundle(tmp_path)
    found, _ = recommend(Workspace.at(tmp_path / "x"), capsys, str(bundle), "The Matrix", "-k", "2")
    assert found == AFTER_MATRIX


def test_what_was_watched_is_left_out(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _ = recommend(workspace, capsys, "The Matrix", "--watched", "Heat (1995)", "-k", "1")
    assert found == [toy.TITLES[3]]


def test_a_movie_id_does_for_a_title(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _ = recommend(workspace, capsys, "champion", f"id:{toy.raw_id(2)}", "-k", "2")
    assert found == AFTER_MATRIX
    _, said = recommend(workspace, capsys, "champion", "id:123456")
    assert "does not know a movie with id 123456" in said


def test_the_table_shows_what_the_catalogue_knows(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["recommend", "champion", "toy story", "the matrix", "-k", "2", "--variant", "float32"]
    assert main([*words, "--workspace", str(workspace.root)]) == 0
    captured = capsys.readouterr()
    heading, names, first, second, last = captured.out.splitlines()
    assert heading == "after Toy Story (1995); Matrix, The (1999):"
    assert names.split() == ["title", "year", "genres", "score"]
    # The toy catalogue says 2000 of all years, whatever the titles say.
    assert first.split() == ["1", "Heat", "(1995)", "2000", "Action,", "Crime", "-1.000"]
    assert second.split()[0] == "2"
    assert re.fullmatch(r"float32 of bundle [0-9a-f]{12}, \d+\.\d\d ms", last)
    assert captured.err == ""


def test_json_says_what_was_asked_and_found(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["recommend", "the matrix", "-k", "1", "--variant", "float32", "--json"]
    assert main([*words, "--workspace", str(workspace.root)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["history"] == [toy.TITLES[1]]
    assert answer["history_ids"] == [toy.raw_id(2)]
    assert answer["recommendations"] == [
        {
            "movie_id": toy.raw_id(3),
            "title": "Heat (1995)",
            "year": 2000,
            "genres": ["Action", "Crime"],
            "score": -1.0,
        }
    ]
    assert answer["milliseconds"] > 0


def test_a_misspelled_title_is_taken_and_told(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    found, said = recommend(workspace, capsys, "toy stroy", "teh matrix", "-k", "2")
    assert found == AFTER_MATRIX
    assert said.splitlines() == [
        f"taking 'toy stroy' for Toy Story (1995) [id:{toy.raw_id(1)}]",
        f"taking 'teh matrix' for Matrix, The (1999) [id:{toy.raw_id(2)}]",
    ]


def test_on_doubt_it_asks(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recommend", "sabrnia", "--workspace", str(workspace.root)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("if one of these is meant, say which, by title or id:")
    assert [line.split() for line in lines[1:3]] == [
        [f"id:{toy.raw_id(6)}", "Sabrina", "(1954)"],
        [f"id:{toy.raw_id(7)}", "Sabrina", "(1995)"],
    ]


@pytest.fixture(scope="module")
def release(workspace: Workspace) -> Path:
    """The release that the toy bundle names, with movies that it does not know."""
    folder = workspace.data / "sample"
    folder.mkdir(parents=True)
    movies = {1: "Rare Bird (2001)", 2: "Newcomer, The (2002)"}
    lines = [f'{movie},"{title}",Drama' for movie, title in movies.items()]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *lines, ""]))
    ratings = [f"{user},{movie},4.0,{user}" for movie, users in ((1, 2), (2, 7))
               for user in range(1, users + 1)]  # fmt: skip
    (folder / "ratings.csv").write_text(
        "\n".join(["userId,movieId,rating,timestamp", *ratings, ""])
    )
    return folder


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize(
    ("word", "says"),
    [
        (
            "rare bird",
            "Rare Bird (2001) [id:1] is in sample with 2 ratings, and a movie needs 5 to",
        ),
        ("id:1", "Rare Bird (2001) [id:1] is in sample with 2 ratings, and a movie needs 5 to be"),
        ("the newcomer", "[id:2] is in sample with 7 ratings, but none that the model was trained"),
        ("Nowhere (2003)", "it is not among the movies of sample either"),
        ("id:3", "it is not among the movies of sample either"),
    ],
)
def test_an_unknown_movie_is_looked_up_in_the_release(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], word: str, says: str
) -> None:
    assert main(["recommend", "champion", word, "--workspace", str(workspace.root)]) == 2
    assert says in capsys.readouterr().err


def test_without_the_release_the_model_says_what_it_knows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = toy.bundle(tmp_path)
    place = ["--workspace", str(tmp_path / "none")]
    assert main(["recommend", str(bundle), "qqq zzz", *place]) == 2
    said = capsys.readouterr().err
    assert "the model knows 40 movies of sample, those with at least 5 ratings; the release" in said


def test_what_is_known_of_the_user(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said = recommend(workspace, capsys, "heat", "--user", "gender=F")
    assert said == "--user gender=F: this model reads no user_gender\n"
    for wrong in ("sex=F", "gender"):
        _, said = recommend(workspace, capsys, "heat", "--user", wrong)
        assert "must be NAME=VALUE, the name one of gender, age, occupation" in said


def test_what_is_known_of_the_user_reaches_a_model_that_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = {"further_inputs": ("user_gender", "user_age")}
    conversion = toy.source().conversion.model_copy(update=inputs)
    bundle = str(toy.bundle(tmp_path, conversion=conversion, variants=user_models()))
    words = [bundle, "heat", "-k", "1", "--user", "gender=M", "--user", "user_age=18 to 24"]
    found, said = recommend(Workspace.at(tmp_path), capsys, *words)
    # Gender 2, age group 2: it starts with movie 2 + 10 * 2.
    assert (found, said) == (["Film 22 (2000)"], "")
    _, said = recommend(Workspace.at(tmp_path), capsys, bundle, "heat", "--user", "gender=X")
    assert "--user 'gender=X': must be one of F, M" in said


@pytest.fixture(scope="module")
def event_bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(toy.event_bundle(tmp_path_factory.mktemp("events")))


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ([], 21),
        (["--ratings", "5,1.5"], 19),
        (["--ratings", "1, none"], 21),
        (["--times", "none,978350400"], 31),
        (["--times", "none,978350400", "--now", "978350401"], 21),
        (["--times", "none,2001-01-01T12:00", "--now", "2001-01-01T13:00+00:00"], 21),
        (["--times", "2000-12-01,2001-01-01T12:00", "--now", "2001-01-03"], 31),
    ],
)
def test_ratings_and_times_go_with_the_titles(
    event_bundle: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    first: int,
) -> None:
    words = [event_bundle, "The Matrix", f"id:{toy.raw_id(20)}", "-k", "1", *options]
    found, said = recommend(Workspace.at(tmp_path), capsys, *words)
    assert found == [f"Film {first} (2000)"], said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["champion", "zzz qqq"], "no movie 'zzz qqq' in the model's catalogue: "),
        (["champion", "Sabrina"], "'Sabrina' names 2 movies"),
        (["champion"], "give at least one title"),
        (["champoin", "Heat"], "(taken for a title: no version or alias 'champoin'"),
        (["Heat", "-k", "0"], "k is 0; this model returns 1 to 12"),
        (["Heat", "--variant", "int4"], "no variant 'int4'"),
        (["Heat", "--ratings", "4,5"], "2 ratings for a history of 1"),
        (["Heat", "--ratings", "good"], "--ratings: 'good' is not stars such as 4.5, or none"),
        (["Heat", "--times", "noon"], "--times: 'noon' is not unix seconds or a time such as"),
    ],
)
def test_errors_are_one_message_with_a_way_out(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    status = main(["recommend", *words, "--workspace", str(workspace.root)])
    captured = capsys.readouterr()
    assert status == 2
    assert message in captured.err
    assert captured.out == ""


def test_an_empty_registry_says_how_to_fill_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["champion", "Heat"], ["Heat (1995)"]):
        assert main(["recommend", *words, "--workspace", str(tmp_path)]) == 2
        assert "`pocketrec run` registers one" in capsys.readouterr().err


METRICS = {
    "overall": {"recall_at_10": 0.25, "ndcg_at_10": 0.1, "recall_at_10_float32": 0.5},
}


def test_a_budget_takes_the_best_variant_that_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = toy.bundle(tmp_path, metrics=METRICS)
    size = (bundle / "float32.tflite").stat().st_size
    workspace = ["--workspace", str(tmp_path / "none")]

    def variant(*words: str) -> str:
        assert main(["recommend", str(bundle), "The Matrix", "--json", *words, *workspace]) == 0
        return str(json.loads(capsys.readouterr().out)["variant"])

    assert variant() == "int8"
    assert variant("--budget", f"{size}") == variant("--budget", "1MB") == "float32"
    assert variant("--budget", f"{size - 1}B") == "int8"
    assert main(["recommend", str(bundle), "The Matrix", "--budget", "1KB", *workspace]) == 2
    assert "no variant keeps to a file of 1,024 bytes: the smallest file is that of int8" in (
        capsys.readouterr().err
    )
    # The toy's memory was not measured.
    words = ["--budget", "1MB", "--memory-budget", "1MB"]
    assert main(["recommend", str(bundle), "The Matrix", *words, *workspace]) == 2
    assert "does not tell how much memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--budget", "64K"], "argument --budget: '64K' is no size"),
        (["--memory-budget", "much"], "argument --memory-budget: 'much' is no size"),
        (["--variant", "int8", "--budget", "64KB"], "not allowed with argument --variant"),
    ],
)
def test_a_budget_that_makes_no_sense(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["recommend", "The Matrix", *words])
    assert left.value.code == 2
    assert said in capsys.readouterr().err


def test_a_variant_and_a_memory_budget_exclude_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = toy.bundle(tmp_path, metrics=METRICS)
    words = ["--variant", "int8", "--memory-budget", "1MB", "--workspace", str(tmp_path / "none")]
    assert main(["recommend", str(bundle), "The Matrix", *words]) == 2
    assert "a variant ('int8') or a budget, not both" in capsys.readouterr().err
