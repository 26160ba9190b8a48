from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import data
from pipeline.config.root import GeneratorConfig
from pipeline.datasets.release_writer import LAYOUTS
from pipeline.datasets.releases import DATASET_NAMES
from pipeline.errors import DataError


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    data.add_parser(parser.add_subparsers())
    args = parser.parse_args(["data", *argv])
    status: int = args.handler(args)
    return status


def help_of(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as caught:
        run(*argv, "--help")
    assert caught.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def test_generate_prints_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "made"

    assert run("generate", str(target), "--users=20", "--movies=50", "--ratings=300") == 0

    printed = capsys.readouterr()
    assert printed.out == f"{target}\n"
    assert "300 ratings by 20 users, 50 movies, seed 7;" in printed.err
    assert (target / "ratings.csv").read_bytes().count(b"\n") == 301


def test_generate_takes_seed_and_format(tmp_path: Path) -> None:
    run("generate", str(tmp_path / "made"), "--seed=0", "--format=ml-1m")

    record = json.loads((tmp_path / "made" / "generator.json").read_text())
    assert record["seed"] == 0
    assert (tmp_path / "made" / "users.dat").is_file()


def test_generate_defaults_are_those_of_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("generate", str(tmp_path / "made"))

    record = json.loads((tmp_path / "made" / "generator.json").read_text())
    config = GeneratorConfig()
    assert {name: record[name] for name in config.model_dump()} == config.model_dump()
    text = help_of(capsys, "generate")
    for name, value in config.model_dump().items():
        assert f"--{name} N default: {value}" in text


def test_help_names_everything_known(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # argparse breaks lines at hyphens

    assert ", ".join(DATASET_NAMES) in help_of(capsys, "inspect")
    assert ", ".join(DATASET_NAMES[1:]) in help_of(capsys, "download")
    assert "{" + ",".join(LAYOUTS) + "}" in help_of(capsys, "generate")


def test_generate_impossible_size(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ratings is 3; with 4 users"):
        run("generate", str(tmp_path / "made"), "--users=4", "--ratings=3")


def test_download_refuses_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'ml-2m' is not a release .* known are ml-100k, ml-1m"):
        run("download", "ml-2m", "--workspace", str(tmp_path))


def test_download_finds_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data" / "ml-20m").mkdir(parents=True)

    assert run("download", "ml-20m", "--workspace", str(tmp_path)) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'data' / 'ml-20m'}\n"


def test_inspect_counts_what_was_generated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("generate", str(tmp_path / "made"), "--users=20", "--movies=50", "--ratings=300")
    capsys.readouterr()

    assert run("inspect", str(tmp_path / "made"), "--json", "--workspace", str(tmp_path)) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ratings"] == 300
    assert report["users"] == 20

    assert run("inspect", str(tmp_path / "made"), "--workspace", str(tmp_path)) == 0
    assert "300" in capsys.readouterr().out


def test_adding_the_parser_imports_nothing_heavy() -> None:
    program = (
        "import sys, argparse; from pipeline.cli import data; "
        "data.add_parser(argparse.ArgumentParser().add_subparsers()); "
        "print(sorted({'numpy', 'pyarrow', 'pydantic', 'requests', 'tfx', 'tensorflow'}"
        " & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout

    assert printed == "[]\n"
