from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from pipeline.datasets import archive
from pipeline.errors import DataError


def make_zip(path: Path, entries: dict[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            out.writestr(info, content)
    return path


def everything_under(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_extracts_files_and_folders(tmp_path: Path) -> None:
    source = make_zip(
        tmp_path / "ml.zip", {"ml/": b"", "ml/ratings.csv": b"1,2\n", "ml/a/b.txt": b"deep"}
    )

    folder = archive.extract_zip(source, tmp_path / "deep" / "out")

    assert folder == tmp_path / "deep" / "out"
    assert (folder / "ml" / "ratings.csv").read_bytes() == b"1,2\n"
    assert (folder / "ml" / "a" / "b.txt").read_bytes() == b"deep"
    assert everything_under(tmp_path / "deep") == {
        ".out.lock",
        *("out", "out/ml", "out/ml/ratings.csv", "out/ml/a", "out/ml/a/b.txt"),
    }


@pytest.mark.parametrize(
    "name",
    ["../evil.txt", "ml/../../evil.txt", "/evil.txt", "..\\evil.txt", "C:evil.txt", "ml/..", "."],
)
def test_refuses_paths_outside_and_writes_nothing(tmp_path: Path, name: str) -> None:
    source = make_zip(tmp_path / "ml.zip", {"ml/good.csv": b"fine", name: b"evil"})

    with pytest.raises(DataError) as caught:
        archive.extract_zip(source, tmp_path / "sub" / "out")

    assert str(source) in str(caught.value)
    assert repr(name) in str(caught.value)
    assert everything_under(tmp_path) == {"ml.zip", "sub", "sub/.out.lock"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_refuses_links_and_special_files(tmp_path: Path, kind: int) -> None:
    source = make_zip(tmp_path / "ml.zip", {"link": b"/etc/passwd"}, mode=kind | 0o777)

    with pytest.raises(DataError, match="entry 'link' is a link"):
        archive.extract_zip(source, tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_refuses_two_entries_of_one_name(tmp_path: Path) -> None:
    source = tmp_path / "ml.zip"
    with zipfile.ZipFile(source, "w") as out:
        out.writestr("a/x", "1")
        out.writestr("a//x", "2")

    with pytest.raises(DataError, match="appears twice"):
        archive.extract_zip(source, tmp_path / "out")


@pytest.mark.thorough
def test_refuses_more_than_the_limit(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "ml.zip", {"a": b"x" * 600, "b": b"y" * 401})

    with pytest.raises(DataError, match=r"1,001 bytes \(at most 1,000\)"):
        archive.extract_zip(source, tmp_path / "out", max_bytes=1000)
    assert archive.extract_zip(source, tmp_path / "out", max_bytes=1001).is_dir()


def test_refuses_a_bomb(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "ml.zip", {"zeros": bytes(archive.RATIO_FREE_BYTES + 1)})

    with pytest.raises(DataError, match="decompression bomb"):
        archive.extract_zip(source, tmp_path / "out")


def test_refuses_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 2)
    source = make_zip(tmp_path / "ml.zip", {"a": b"", "b": b"", "c": b""})

    with pytest.raises(DataError, match=r"3 entries \(at most 2\)"):
        archive.extract_zip(source, tmp_path / "out")


def test_damage_names_the_entry_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "ml.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_STORED) as out:
        out.writestr("ml/first.csv", "intact")
        out.writestr("ml/ratings.csv", "1,2,3.5,100")
    content = source.read_bytes()
    source.write_bytes(content.replace(b"1,2,3.5,100", b"1,2,4.5,100"))

    with pytest.raises(DataError, match=r"entry 'ml/ratings.csv' cannot be read \(Bad CRC"):
        archive.extract_zip(source, tmp_path / "sub" / "out")
    assert everything_under(tmp_path / "sub") == {".out.lock"}


@pytest.mark.parametrize("keep", [0, 10, 60])
def test_truncated_archive(tmp_path: Path, keep: int) -> None:
    source = make_zip(tmp_path / "ml.zip", {"ml/ratings.csv": b"1,2,3.5,100\n" * 50})
    source.write_bytes(source.read_bytes()[:keep])

    with pytest.raises(DataError, match="damaged"):
        archive.extract_zip(source, tmp_path / "out")


def test_missing_archive(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        archive.extract_zip(tmp_path / "ml.zip", tmp_path / "out")


def test_keeps_what_is_in_the_target(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "ml.zip", {"a": b"new"})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("precious")

    with pytest.raises(DataError, match="exists already"):
        archive.extract_zip(source, tmp_path / "out")
    assert everything_under(tmp_path / "out") == {"mine"}


def test_removes_what_a_killed_extraction_left(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "ml.zip", {"a": b"new"})
    leftover = tmp_path / ".out.tmp-abc"
    leftover.mkdir()
    (leftover / "half").write_text("writ")

    archive.extract_zip(source, tmp_path / "out")

    assert everything_under(tmp_path) == {"ml.zip", "out", "out/a", ".out.lock"}
