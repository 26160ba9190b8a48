"""A study as a user runs it, through TFX's steps, and given again."""

import json
from pathlib import Path

import pytest

from tests.e2e.command import pocketrec

pytestmark = pytest.mark.slow


def test_the_smoke_study_and_nothing_left_to_do(tmp_path: Path) -> None:
    words = ["sweep", "smoke", "--workspace", str(tmp_path), "--output", str(tmp_path / "out.json")]
    first = pocketrec(*words)
    assert "4 of 4 trials are over" in first.stdout
    results = json.loads((tmp_path / "sweeps/smoke/results.json").read_text())
    assert [trial["state"] for trial in results["trials"]] == ["done"] * 4
    assert [trial["history"] for trial in results["trials"]] == [5, 10, 5, 10]
    for trial in results["trials"]:
        assert 0 < trial["mean"]["eval.recall_at_10"] < 1
        assert trial["mean"]["int8.bytes"] > 1000
        # What is not reported is not even measured.
        assert "test" not in trial["runs"][0]
    assert (tmp_path / "sweeps/smoke/results.svg").read_text().lstrip().startswith("<?xml")
    table = (tmp_path / "sweeps/smoke/results.md").read_bytes()

    again = pocketrec(*words)
    assert "seed 42\n" not in again.stdout.split("# Study")[0]
    assert (tmp_path / "sweeps/smoke/results.md").read_bytes() == table
    assert str(tmp_path) not in (tmp_path / "out.json").read_text()
