from __future__ import annotations

import argparse
import html.parser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import dashboard as command
from pipeline.dashboard import render as rendering
from pipeline.dashboard.collect import Dashboard, collect
from pipeline.dashboard.formats import MISSING
from pipeline.errors import PocketRecError
from pipeline.lineage import Lineage
from pipeline.text_file import write_text
from tests.pipeline.dashboard.scene import Scene, read_evaluation


def collected(scene: Scene, run_id: str | None = None) -> Dashboard:
    run = Lineage(scene.workspace.metadata_db).read(run_id)
    return collect(run, scene.workspace, read_evaluation)


class Page(html.parser.HTMLParser):
    """Checks that elements nest, and collects the text, the rows of tables and the attributes."""

    VOID = frozenset({"meta", "br", "use", "path"})

    def __init__(self, source: str):
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    def row(self, *start: str) -> list[str]:
        rows = [row for row in self.rows if tuple(row[: len(start)]) == start]
        assert len(rows) == 1, (start, self.rows)
        return rows[0]


def test_a_whole_run_shows_every_result(scene: Scene) -> None:
    scene.prepare()
    scene.whole_run("run-1")
    source = rendering.render(collected(scene))
    page = Page(source)
    assert "PUSHED: tiny version 3" in source
    assert page.row("ratings_read") == ["ratings_read", "1,234"]
    assert page.row("timestamp_min") == ["timestamp_min", "956703932 (2000-04-25)"]
    counts = [row[0] for row in page.rows if row[0].startswith(("ratings", "state", "timestamp_"))]
    assert counts == ["ratings_read", "ratings_kept", "timestamp_min"]
    numbers = ["2", "50%", "30", "12", "0.5", "3.25", "3.5", "5", "0"]
    assert page.row("rating", "test", "FLOAT") == [
        *("rating", "test", "FLOAT"),
        *numbers,
        *(MISSING, MISSING),
    ]
    assert [row[1] for row in page.rows if row[2:3] == ["FLOAT"]] == ["train", "test"]
    assert page.row("user_gender", "train")[-2:] == ["2", "F"]
    assert page.row("rating", "test", "ERROR")[3:] == [
        "Out-of-range values",
        "Unexpectedly high value: 7.",
    ]
    assert "<strong>3</strong> movies" in source
    assert page.row("2") == ["2", "5.25", "0.2"]
    assert page.row("recall_at_10") == ["recall_at_10", "0.3125", "0.1250"]
    assert page.row("mrr") == ["mrr", "fail", MISSING, "at least 0.2", "the metric is missing"]
    assert page.row("recall_margin_over_popularity_at_10")[1:4] == [
        "pass",
        "0.2625",
        "at least 0.01",
    ]
    assert "slice country has no test windows" in source
    assert page.row("int8") == ["int8", "25%", "1,000", "0.975", "ef" * 32]
    assert page.row("int8.tflite") == ["int8.tflite", "4,321", "ab" * 32]
    assert page.row("registry_version") == ["registry_version", "3"]
    assert "min_margin_over_popularity: 0.01" in source
    assert "data_gate" in {row[0] for row in page.rows if row[1:2] == ["not reached"]}


def test_the_file_loads_nothing_and_is_accessible(scene: Scene) -> None:
    scene.prepare()
    scene.whole_run("run-1")
    source = rendering.render(collected(scene))
    page = Page(source)
    assert not re.search(r"https?:|//[a-z]+\.|@import|<script|<link|<img", source)
    targets = [value for _, name, value in page.attributes if name in ("href", "src")]
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert {target[1:] for target in targets} <= set(ids)
    assert {f"#{i}" for i in re.findall(r"url\(#([^)]+)\)", source)} <= {f"#{i}" for i in ids}
    assert "xlink" not in source
    assert source.count("<table") == source.count("<caption")
    charts = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(charts) == source.count("<svg") == 4
    assert any("Loss: loss from 6.5 to 5.25" in label for label in charts)
    assert re.findall(r"<h([1-6])", source)[0] == "1"
    assert ("html", "lang", "en") in page.attributes


def test_the_same_run_gives_the_same_bytes(scene: Scene) -> None:
    scene.prepare()
    scene.whole_run("run-1")
    assert rendering.render(collected(scene)) == rendering.render(collected(scene))


def test_a_model_that_was_not_pushed_says_why_and_markup_is_escaped(scene: Scene) -> None:
    scene.prepare(pushed=False)
    scene.whole_run("run-1")
    dashboard = collected(scene)
    assert dashboard.verdict.kind == "not-pushed"
    source = rendering.render(dashboard)
    assert "mrr &lt;b&gt;is&lt;/b&gt; missing" in source
    assert "<b>" not in source


def test_a_failed_run_names_the_step_and_the_reason(scene: Scene) -> None:
    scene.prepare()
    scene.store.run("run-1")
    scene.add("run-1", "movielens_example_gen")
    scene.add("run-1", "example_validator")
    scene.add("run-1", "data_gate", "FAILED")
    assert "No message was recorded" in collected(scene).verdict.reason
    # The local runner's own summary knows what ML Metadata does not.
    scene.workspace.runs.mkdir()
    summary = {"error": "rating: above 5", "config": {"dataset": "tiny"}}
    (scene.workspace.runs / "run-1.json").write_text(json.dumps(summary))
    dashboard = collected(scene)
    assert dashboard.verdict.headline == "FAILED at data_gate"
    assert dashboard.verdict.reason == "rating: above 5"
    assert dashboard.dataset == "tiny"
    source = rendering.render(dashboard)
    page = Page(source)
    assert page.row("data_gate")[1] == "failed"
    assert page.row("trainer")[1] == "not reached"
    assert "NOT PUSHED: the run did not get there." in source
    assert "The model was not evaluated." in source


def test_a_step_that_failed_before_it_was_recorded_is_named(scene: Scene) -> None:
    scene.store.run("run-1")
    scene.add("run-1", "movielens_example_gen")
    scene.workspace.runs.mkdir()
    record = {"failed_step": "transform", "error": "no such schema"}
    (scene.workspace.runs / "run-1.json").write_text(json.dumps(record))
    verdict = collected(scene).verdict
    assert (verdict.headline, verdict.reason) == ("FAILED at transform", "no such schema")


def test_a_killed_run_and_an_empty_one_render(scene: Scene) -> None:
    scene.store.run("empty")
    assert "the last step was not reached" in rendering.render(collected(scene))
    scene.store.run("killed")
    scene.add("killed", "transform", "RUNNING")
    dashboard = collected(scene)
    assert dashboard.verdict.headline == "INCOMPLETE: transform has not ended"
    assert Page(rendering.render(dashboard)).row("transform")[1] == "running"


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_shown(scene: Scene) -> None:
    scene.prepare()
    scene.whole_run("run-1")
    history = scene.folder("trainer", "model_run") / "history.json"
    history.write_text("{")
    statistics = scene.folder("statistics_gen", "statistics") / "Split-test" / "FeatureStats.pb"
    statistics.write_bytes(b"\xff\xff\xff")
    dashboard = collected(scene)
    assert len(dashboard.notes) == 2
    source = rendering.render(dashboard)
    assert str(history) in source
    assert str(statistics) in source
    assert "ratings_read" in source


def test_the_command_writes_one_file_into_the_workspace_or_where_asked(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.store.run("20260101T000000.000001")
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    workspace = ["--workspace", str(scene.workspace.root)]
    args = parser.parse_args(["dashboard", *workspace])
    assert args.handler(args) == 0
    written = scene.workspace.dashboards / "20260101T000000.000001.html"
    assert capsys.readouterr().out.strip() == str(written)
    assert [path.name for path in written.parent.iterdir()] == [written.name]
    elsewhere = tmp_path / "deep" / "page.html"
    args = parser.parse_args(["dashboard", "--output", str(elsewhere), *workspace])
    assert args.handler(args) == 0
    assert elsewhere.read_bytes() == written.read_bytes()
    args = parser.parse_args(["dashboard", "--output", str(tmp_path), *workspace])
    with pytest.raises(PocketRecError, match="cannot be written"):
        args.handler(args)
    args = parser.parse_args(["dashboard", "--run", "other", *workspace])
    with pytest.raises(PocketRecError, match="20260101T000000"):
        args.handler(args)


def test_a_failed_write_leaves_the_previous_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    write_text(path, "old")

    def fail(descriptor: int) -> None:
        raise OSError(28, f"no space for {descriptor}")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_text(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
    assert path.read_text() == "old"


def test_neither_tfx_nor_tensorflow_is_imported_for_a_run_without_evaluation(scene: Scene) -> None:
    scene.store.run("run-1")
    code = (
        "import argparse, sys\n"
        "from pipeline.cli import dashboard\n"
        "light = set(sys.modules)\n"
        "parser = argparse.ArgumentParser()\n"
        "dashboard.add_parser(parser.add_subparsers())\n"
        "args = parser.parse_args(sys.argv[1:])\n"
        "args.handler(args)\n"
        "assert not {'numpy', 'jinja2', 'ml_metadata'} & light\n"
        "assert not {'tfx', 'tensorflow'} & set(sys.modules)\n"
    )
    workspace = str(scene.workspace.root)
    command_line = [sys.executable, "-c", code, "dashboard", "--workspace", workspace]
    subprocess.run(command_line, check=True, timeout=60)
