"""The notebooks, executed headless and in a JupyterLab in a real browser, on a real workspace."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import Browser, Frame, Page, Request

from modules.evaluation import results
from pipeline.errors import DataError
from pipeline.lineage import Lineage
from pipeline.notebook import tfma_view
from pipeline.workspace import Workspace
from tests.browser.chromium import browser
from tests.e2e.command import pocketrec, run_arguments
from tests.notebooks.jupyter import NOTEBOOKS, jupyter_lab, run_all_cells

__all__ = ["browser"]

pytestmark = pytest.mark.slow

# All cells of a notebook: those out of sight are not drawn.
TALL = {"width": 1300, "height": 9000}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, so that there is a series; the second one may lose against the first."""
    path = tmp_path_factory.mktemp("notebooks") / "workspace"
    pocketrec(*run_arguments(path))
    pocketrec(*run_arguments(path, "seed=8", "gate.max_drop_from_blessed=1.0"))
    return path


@pytest.fixture(scope="module")
def lab(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with jupyter_lab(tmp_path_factory.mktemp("jupyter"), workspace) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    made = browser.new_page(viewport=TALL)  # type: ignore[arg-type]
    yield made
    made.close()


def execute(name: str, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setenv("POCKETREC_WORKSPACE", str(workspace))
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": NOTEBOOKS}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(cell: Any) -> str:
    parts = [
        output.get("text", "") or output["data"].get("text/html", "") for output in cell.outputs
    ]
    return "".join(parts)


def evaluations(workspace: Path) -> list[str]:
    lineage = Lineage(Workspace.at(workspace).metadata_db)
    found = [lineage.read(run).output("evaluator", "evaluation") for run in lineage.run_ids()]
    return [artifact.uri for artifact in found if artifact]


def frame(page: Page, title: str) -> Frame:
    element = page.locator(f'iframe[title="{title}"]').element_handle(timeout=20_000)
    found = element.content_frame()
    assert found is not None
    return found


def windows_after_a_click(slices: Frame) -> list[float]:
    """Clicks on the table's header for the count of windows; returns that column."""
    headers = slices.locator("tfma-metrics-table th")
    column = next(i for i, text in enumerate(headers.all_inner_texts()) if "windows" in text)
    headers.nth(column).locator("button").click()
    rows = slices.locator("tfma-metrics-table tbody tr").all()
    return [float(row.locator("td").nth(column).inner_text()) for row in rows]


def test_data_validation_finds_what_a_narrower_schema_forbids(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = execute("data_validation", workspace, monkeypatch)
    asked_again, narrowed = (
        next(cell for cell in cells if marker in cell.source)
        for marker in ("for name, described", "float_domain.max = 4.0")
    )
    assert "rating" not in text_of(asked_again)
    assert "rating" in text_of(narrowed)
    assert "Unexpectedly high value: 5&gt;4" in text_of(narrowed)
    # The distance of a split from itself.
    assert re.search(r"<td>0\.0+</td>", text_of(cells[-1]))


def test_model_analysis_shows_the_gates_own_figures(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = execute("model_analysis", workspace, monkeypatch)
    latest = evaluations(workspace)[-1]
    validation = results.load_validation(latest)
    gate = text_of(next(cell for cell in cells if "load_validation" in cell.source))
    for verdict in validation.verdicts:
        assert verdict.metric in gate
    table = text_of(next(cell for cell in cells if "compared" in cell.source))
    for name, metrics in results.load_metrics(latest).items():
        assert name in table
        assert f"{metrics['recall_at_10']:.4f}" in table


def test_model_analysis_renders_in_jupyterlab(lab: str, page: Page, workspace: Path) -> None:
    reached: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1", "blob:", "data:", "about:")):
            reached.append(request.url)

    page.on("requestfinished", note)
    run_all_cells(page, lab.format(notebook="model_analysis.ipynb"))
    assert page.locator(".jp-RenderedText[data-mime-type*=error]").count() == 0
    recall = results.load_metrics(evaluations(workspace)[-1])

    slices = frame(page, "Metrics by popularity_segment")
    rows = slices.locator("tfma-metrics-table tbody tr")
    rows.first.wait_for(timeout=20_000)
    shown = {row.locator("td").first.inner_text(): row.inner_text() for row in rows.all()}
    assert set(shown) == {f"popularity_segment:{name}" for name in ("head", "torso", "tail")}
    for name, text in shown.items():
        value = recall[name.replace(":", "=")]["recall_at_10"]
        assert f"{value:.5f}" in text or f"{value:g}" in text, (name, value, text)
    assert slices.locator("tfma-slice-overview svg rect").count() == 3

    once, twice = windows_after_a_click(slices), windows_after_a_click(slices)
    assert once == sorted(recall[name.replace(":", "=")]["windows"] for name in shown)
    assert twice == once[::-1]

    chart = frame(page, "Recall at 10 by slice, with 95% intervals")
    assert chart.locator("g.mark-rect.role-mark path").count() == len(recall)
    assert chart.locator("g.mark-rule.role-mark line").count() == len(recall)

    series = frame(page, "Metrics over runs")
    assert series.locator("svg circle").count() >= 2
    assert reached == []


def test_data_validation_renders_in_jupyterlab(lab: str, page: Page) -> None:
    run_all_cells(page, lab.format(notebook="data_validation.ipynb"))
    assert page.locator(".jp-RenderedText[data-mime-type*=error]").count() == 0
    chart = frame(page, "Ratings by split")
    chart.locator("svg").wait_for(timeout=20_000)
    assert chart.locator("g.mark-rect.role-mark path").count() >= 3 * 5
    assert page.get_by_role("table").count() >= 3


def test_what_cannot_be_shown_is_said(workspace: Path, tmp_path: Path) -> None:
    one = evaluations(workspace)[0]
    with pytest.raises(
        DataError, match=r"slicing_column is 'colour'; .* has \[.*'popularity_segment'"
    ):
        tfma_view.slicing_metrics(one, "colour")
    with pytest.raises(DataError, match="1 evaluation"):
        tfma_view.time_series([one])
    with pytest.raises(DataError, match=f"{tmp_path}: no readable evaluation"):
        tfma_view.slicing_metrics(tmp_path)
    assert os.environ.get("POCKETREC_RUN") is None
