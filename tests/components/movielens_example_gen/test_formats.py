from __future__ import annotations

from pathlib import Path

import pytest

from components.movielens_example_gen.formats import detect
from pipeline.errors import DataError
from tests.components.movielens_example_gen.releases import FORMATS, RATINGS_FILE, write_release


@pytest.mark.parametrize("release_format", FORMATS)
@pytest.mark.parametrize("below", ["", "ml", "a/b"])
def test_a_release_is_told_by_its_files(tmp_path: Path, release_format: str, below: str) -> None:
    folder = write_release(tmp_path / below, release_format)

    release = detect(str(tmp_path))

    assert release.format == release_format
    assert release.ratings == str(folder / RATINGS_FILE[release_format])
    assert (release.users is not None) == (release_format in ("100k", "1m"))


def test_columns_of_a_csv_are_told_by_its_header(tmp_path: Path) -> None:
    write_release(tmp_path, "csv")
    header = b"\xef\xbb\xbftimestamp,rating,note,movieId,userId\n"
    (tmp_path / "ratings.csv").write_bytes(header + b"1,2,x,3,4\n")

    release = detect(str(tmp_path))

    assert release.columns == ("timestamp", "rating", "note", "movie", "user")
    assert release.header == len(header)


@pytest.mark.parametrize("header", ["userId,movieId,rating", "1,1,4.0,964982703", "\n"])
def test_a_wrong_header_is_named(tmp_path: Path, header: str) -> None:
    write_release(tmp_path, "csv")
    (tmp_path / "ratings.csv").write_text(header)

    with pytest.raises(DataError, match=r"ratings\.csv, line 1: the header .* wrong: .*timestamp"):
        detect(str(tmp_path))


def test_a_missing_folder_and_a_folder_without_a_release(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        detect(str(tmp_path / "none"))
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"holds no MovieLens release.*ratings\.csv"):
        detect(str(tmp_path))


@pytest.mark.parametrize("release_format", FORMATS)
def test_a_missing_list_of_movies_is_named(tmp_path: Path, release_format: str) -> None:
    write_release(tmp_path, release_format)
    for name in ("u.item", "movies.dat", "movies.csv"):
        (tmp_path / name).unlink(missing_ok=True)

    with pytest.raises(DataError, match=r"but not (u\.item|movies\.dat|movies\.csv)"):
        detect(str(tmp_path))


@pytest.mark.parametrize("release_format", FORMATS)
def test_an_empty_ratings_file_is_named(tmp_path: Path, release_format: str) -> None:
    write_release(tmp_path, release_format)
    (tmp_path / RATINGS_FILE[release_format]).write_bytes(b"")

    with pytest.raises(DataError, match="is empty"):
        detect(str(tmp_path))


def test_two_releases_side_by_side_are_ambiguous_but_a_deeper_copy_is_not(tmp_path: Path) -> None:
    write_release(tmp_path / "x", "csv")
    write_release(tmp_path / "x" / "copy", "csv")
    assert detect(str(tmp_path)).ratings == str(tmp_path / "x" / "ratings.csv")

    write_release(tmp_path / "y", "1m")
    with pytest.raises(DataError, match="several ratings files"):
        detect(str(tmp_path))
