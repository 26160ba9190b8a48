"""`pocketrec recommend`."""

import json
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.workspace import Workspace
from tests.device import toy
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


def test_the_table_shows_rank_title_and_score(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["recommend", "champion", "the matrix", "-k", "2", "--variant", "float32"]
    assert main([*words, "--workspace", str(workspace.root)]) == 0
    heading, _, _, first, second = capsys.readouterr().out.splitlines()
    assert heading == "after Matrix, The (1999):"
    assert first.split() == ["1", "Heat", "(1995)", "-1.000"]
    assert second.split()[0] == "2"


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
        (["champion", "Haet"], "no movie 'Haet' in the model's catalogue; close titles: Heat"),
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
