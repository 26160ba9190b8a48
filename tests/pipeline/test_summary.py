"""What the screen says at the end of a run."""

import dataclasses
import json
from pathlib import Path

import pytest

from pipeline.config.root import Config
from pipeline.local_runner import RunOutcome
from pipeline.summary import Summary, render, write_record
from pipeline.workspace import Workspace

PUSHED = Summary(
    dataset="ml-1m",
    counts={"ratings_kept": 999_611, "ratings_read": 1_000_209, "users": 6040, "movies": 3416},
    metrics={
        "recall_at_10": 0.3,
        "ndcg_at_10": 0.17,
        "mrr": 0.15,
        "windows": 6040.0,
        "recall_at_10_popularity": 0.03,
        "recall_at_10_recent_popularity": 0.05,
    },
    bytes={"float32": 1_362_032, "int8": 386_784},
    gated="int8",
    version=3,
    registered_as="pocketrec",
    aliases=("champion",),
    not_pushed_reason="",
    cached_steps=2,
    steps=12,
    seconds=612.3,
    run_id="r",
    popular_title="Toy Story (1995)",
    workspace="/elsewhere",
)


def test_a_registered_model() -> None:
    text = render(PUSHED)
    assert "ml-1m: 999,611 of 1,000,209 ratings, 6,040 users, 3,416 movies" in text
    # The better of the two popularity recommenders is the one to beat.
    assert "recall@10   0.3000 on 6,040 test windows (int8); popularity 0.0500" in text
    assert "float32 1362 kB, int8 387 kB" in text
    assert "registered  pocketrec version 3, alias champion, in /elsewhere/registry" in text
    assert "612 s, 2 of 12 steps from the cache" in text
    assert 'recommend champion "Toy Story (1995)" --workspace /elsewhere' in text


def test_a_workspace_below_the_current_folder_is_told_from_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    text = render(dataclasses.replace(PUSHED, workspace=str(tmp_path / "workspace")))
    assert "alias champion, in workspace/registry\n" in text
    assert "--workspace" not in text
    text = render(dataclasses.replace(PUSHED, workspace=str(tmp_path / "my runs")))
    assert "registry list --workspace 'my runs'" in text


def test_a_model_that_was_not_pushed() -> None:
    refused = dataclasses.replace(
        PUSHED, version=None, aliases=(), not_pushed_reason="recall_at_10 is 0.1"
    )
    assert not refused.registered
    text = render(refused)
    assert "NOT PUSHED  recall_at_10 is 0.1" in text
    assert "recommend" not in text
    assert "dashboard" in text


def test_the_record_of_a_failed_run(tmp_path: Path) -> None:
    outcome = RunOutcome("id", 1.23, tmp_path / "a.log", "transform", "no rows")
    path = write_record(Workspace.at(tmp_path), Config(), outcome)
    record = json.loads(path.read_text())
    assert path == tmp_path / "runs" / "id.json"
    assert (record["failed_step"], record["error"]) == ("transform", "no rows")
    assert Config.model_validate(record["config"]) == Config()
