from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from pipeline.cli.main import main
from tests.device import toy
from tests.pipeline.cli.registry_place import workspace_with_versions


def test_a_bundle_is_exported_by_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = toy.bundle(tmp_path)
    for name, words in {"one": ["--bundle", str(bundle)], "two": [str(bundle)]}.items():
        assert main(["demo", *words, "--export", str(tmp_path / name)]) == 0
        assert str(tmp_path / name) in capsys.readouterr().out
        manifest = tmp_path / name / "bundle" / "manifest.json"
        assert manifest.read_bytes() == (bundle / "manifest.json").read_bytes()


@pytest.mark.slow
def test_the_champion_is_exported_where_no_bundle_is_named(tmp_path: Path) -> None:
    workspace = workspace_with_versions(tmp_path, 1).root
    target = tmp_path / "public"
    assert main(["demo", "--export", str(target), "--workspace", str(workspace)]) == 0
    assert (target / "bundle" / "manifest.json").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["champion", "--bundle", "."], "give 'champion' or --bundle ., not both"),
        (["--bundle", "nowhere"], "--bundle nowhere: no such folder"),
        (["--bundle", "."], "no bundle (it has no manifest.json)"),
        (["--force"], "--force goes with --export DIR"),
        ([], "the registry holds no version of 'pocketrec' yet"),
    ],
)
def test_errors_are_one_message_with_a_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["demo", *words, "--workspace", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_it_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pipeline.cli.main", "demo", "--port", "0"]
    words += ["--bundle", str(toy.bundle(tmp_path))]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        assert process.stdout is not None
        said = process.stdout.readline() + process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert address, said
        with urllib.request.urlopen(f"{address[0]}bundle/manifest.json", timeout=30) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
