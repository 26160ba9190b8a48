"""What the screen says at the end of a run."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from pipeline.cli import run
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
    recalls={"float32": 0.3012, "int8": 0.3},
    left_out={},
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
    assert (
        "variants    float32   1,362 kB, recall@10 0.3012\n"
        "            int8        387 kB, recall@10 0.3000, judged by the gate\n"
    ) in text
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


def test_variants_that_were_left_out() -> None:
    text = render(
        dataclasses.replace(
            PUSHED,
            bytes={**PUSHED.bytes, "int4": 200_000, "float16": 700_000},
            recalls={**PUSHED.recalls, "int4": 0.2, "float16": None},
            left_out={"int4": "too bad", "float16": "not measured", "int8_full": "not made"},
        )
    )
    assert (
        "variants    float32     1,362 kB, recall@10 0.3012\n"
        "            int8          387 kB, recall@10 0.3000, judged by the gate\n"
        "            int4          200 kB, recall@10 0.2000, LEFT OUT: too bad\n"
        "            float16       700 kB, recall@10 not measured, LEFT OUT: not measured\n"
        "            int8_full LEFT OUT: not made\n"
    ) in text


def test_a_summary_as_json_has_null_where_nothing_was_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics = {"recall_at_10": 0.3, "recall_at_10_int4": math.nan}
    described = run._described(dataclasses.replace(PUSHED, metrics=metrics))
    assert described["metrics"] == {"recall_at_10": 0.3, "recall_at_10_int4": None}
    assert described["registered"]
    run._write(described)

    def refuse(word: str) -> None:
        raise AssertionError(word)

    told = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert told["recalls"] == {"float32": 0.3012, "int8": 0.3}


def test_the_record_of_a_failed_run(tmp_path: Path) -> None:
    outcome = RunOutcome("id", 1.23, tmp_path / "a.log", "transform", "no rows")
    path = write_record(Workspace.at(tmp_path), Config(), outcome)
    record = json.loads(path.read_text())
    assert path == tmp_path / "runs" / "id.json"
    assert (record["failed_step"], record["error"]) == ("transform", "no rows")
    assert Config.model_validate(record["config"]) == Config()
