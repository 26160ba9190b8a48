"""Spans come in one by one: each run reads the new one, goes on from the last model, or stops."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.lineage import Lineage, Run
from pipeline.workspace import Workspace
from tests.e2e.command import as_json, pocketrec

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SETTINGS = (
    "model.dim=32",
    "training.max_epochs=4",
    "training.warm_start.on_mismatch=fail",
    "conversion.parity_windows=200",
    "gate.min_margin_over_popularity=0",
    "gate.max_drop_from_blessed=0.1",
)
SHARES = (0.7, 0.1, 0.1, 0.1)


class Place:
    """Generated ratings, cut by time into spans that come in when they are asked for."""

    def __init__(self, root: Path) -> None:
        self.workspace = root / "workspace"
        self.data = root / "data"
        self._source = root / "generated"
        pocketrec("data", "generate", str(self._source), "--users", "300", "--movies", "400",
                  "--ratings", "15000")  # fmt: skip
        with (self._source / "ratings.csv").open(newline="", encoding="utf-8") as file:
            self._header, *rows = csv.reader(file)
        rows.sort(key=lambda row: int(row[3]))
        ends = [round(len(rows) * sum(SHARES[: number + 1])) for number in range(len(SHARES))]
        self._spans = [rows[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def add(self, number: int, rating: Callable[[str], str] = str) -> None:
        """Brings span `number` in, with the ratings that a function makes of the true ones."""
        folder = self.data / f"ratings-{number}"
        folder.mkdir(parents=True)
        shutil.copy(self._source / "movies.csv", folder)
        with (folder / "ratings.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(self._header)
            for user, movie, stars, time in self._spans[number - 1]:
                writer.writerow([user, movie, rating(stars), time])

    def run(self, *overrides: str, expect: int = 0) -> tuple[str, str]:
        """Returns what a run says on the screen and in its log."""
        words = ["run", "--dataset", f"{self.data}/ratings-{{SPAN}}"]
        words += ["--workspace", str(self.workspace)]
        for override in (*SETTINGS, *overrides):
            words += ["--set", override]
        said = pocketrec(*words, expect=expect).stdout
        return said, max((self.workspace / "logs").iterdir()).read_text()

    def latest(self) -> Run:
        return Lineage(Workspace.at(self.workspace).metadata_db).read()

    def versions(self) -> list[int]:
        listed = as_json("registry", "list", "--workspace", str(self.workspace))
        return sorted(version["version"] for version in listed)


def test_spans_come_in_one_by_one(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.add(1)
    place.add(2)
    said, log = place.run()
    assert "registered  pocketrec version 1, alias champion" in said
    assert "no warm start: no model of an earlier span is blessed" in said
    assert "drift: span 2 against span 1: rating 0.0" in log

    place.add(3)
    said, log = place.run()
    assert "warm start from the blessed model of span 2: " in said
    assert "drift: span 3 against span 2: rating 0.0" in log
    assert "registered  pocketrec version 2, alias champion" in said
    examples = place.latest().output("movielens_example_gen", "examples")
    assert examples is not None
    assert (examples.properties["span"], examples.properties["spans"]) == (3, "1, 2, 3")
    assert "latest_blessed_model" in {step.node_id for step in place.latest().steps}

    # Nothing came in: nothing is trained, though there is a newer blessed model now.
    said, _ = place.run()
    assert "11 of 11 steps from the cache" in said
    assert place.versions() == [1, 2]

    place.add(4, rating=lambda _: "5.0")
    said, _ = place.run(expect=1)
    assert "FAILED at data_gate" in said
    assert "feature 'rating': the Jensen-Shannon divergence of span 4 from span 3 is" in said
    assert "data.spans.newest=3" in said
    states = {step.node_id: step.state for step in place.latest().steps}
    assert "trainer" not in states
    # The way out that the message names.
    said, _ = place.run("data.spans.newest=3")
    assert "11 of 11 steps from the cache" in said
    assert place.versions() == [1, 2]
