"""The dashboard's pages in a real browser, opened from the file, without a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from pipeline.dashboard.render import all_page, run_page
from tests.browser.accessibility import violations
from tests.browser.chromium import browser
from tests.pipeline.dashboard.scene import Scene

__all__ = ["browser"]

DRAWN = "html[data-drawn=all]"
BARS = "#slices-chart .mark-rect path"
A4_WIDTH = 718
"""Pixels between the margins of a sheet."""


@dataclasses.dataclass
class Opened:
    """A page, and what it did beside being shown."""

    page: Page
    requests: list[str]
    messages: list[str]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page about a run and the one about all runs."""
    folder = tmp_path_factory.mktemp("pages")
    scene = Scene(folder / "workspace")
    scene.prepare()
    scene.whole_run("run-1")
    scene.whole_run("run-2", seed=7)
    history = scene.history()
    (folder / "run.html").write_text(run_page("run-2", history))
    (folder / "all.html").write_text(all_page(history, "workspace"))
    return folder


def open_file(browser: Browser, path: Path, **context: object) -> Iterator[Opened]:
    opened = browser.new_context(offline=True, **context)  # type: ignore[arg-type]
    page = opened.new_page()
    found = Opened(page, [], [])
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("console", lambda message: found.messages.append(message.text))
    page.on("pageerror", lambda error: found.messages.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector(DRAWN)
    yield found
    opened.close()


@pytest.fixture(scope="module")
def shown(browser: Browser, files: Path) -> Iterator[Opened]:
    yield from open_file(browser, files / "run.html", viewport={"width": 1280, "height": 900})


def visible_rows(page: Page, table: str) -> list[list[str]]:
    rows = page.locator(f"#{table} tbody tr:visible")
    return [row.locator("th, td").all_inner_texts() for row in rows.all()]


def bars(page: Page) -> list[float]:
    """Widths of the bars by slice, from top to bottom."""
    boxes = [bar.bounding_box() for bar in page.locator(BARS).all()]
    return [box["width"] for box in sorted(filter(None, boxes), key=lambda box: box["y"])]


def test_every_chart_is_drawn_and_nothing_is_asked_of_anybody(shown: Opened, files: Path) -> None:
    page = shown.page
    charts = page.locator(".chart").all()
    assert len(charts) == 9
    for chart in charts:
        assert chart.locator("svg [aria-roledescription]").count() > 0
        assert chart.locator(".waiting").count() == 0
    assert page.locator(BARS).count() == 4
    # Two recommenders on four slices.
    assert page.locator("#comparison-chart .mark-symbol path").count() == 8 + 2
    assert page.locator("#training-loss .mark-symbol path").count() == 2
    assert shown.requests == [(files / "run.html").as_uri()]
    assert shown.messages == []


def test_another_metric_changes_bars_and_table(shown: Opened) -> None:
    page = shown.page
    choice = page.locator("select[data-table=slices-table][data-signal=metric]")
    assert choice.input_value() == "recall_at_10"
    before = bars(page)
    # 0.359375 of the head against 0.125 of the tail.
    assert before[1] / before[2] == pytest.approx(0.359375 / 0.125, rel=0.02)
    choice.focus()
    choice.select_option("ndcg_at_10")
    page.wait_for_function(
        "wide => document.querySelectorAll('#slices-chart .mark-rect path').length === 4"
        " && Math.abs(document.querySelectorAll('#slices-chart .mark-rect path')[1]"
        ".getBoundingClientRect().width - wide) > 1",
        arg=before[1],
    )
    after = bars(page)
    assert after[1] / after[2] == pytest.approx(0.28125 / 0.0625, rel=0.02)
    rows = visible_rows(page, "slices-table")
    assert {row[1] for row in rows} == {"NDCG@10"}
    assert [row[4] for row in rows] == ["0.2500", "0.2812", "0.0625", "0.2500"]
    assert page.locator(".meanings [data-metric]:visible").all_inner_texts() == [
        "NDCG@10like recall@10, but a hit counts less the further down it stands"
    ]
    choice.select_option("recall_at_10")
    assert shown.messages == []


def test_a_family_and_a_least_count_choose_slices_in_chart_and_table(shown: Opened) -> None:
    page = shown.page
    family = page.locator("select[data-table=slices-table][data-signal=family]")
    least = page.locator("select[data-signal=windows]")
    family.select_option("popularity_segment")
    page.wait_for_function("document.querySelectorAll('#slices-chart .mark-rect path').length == 3")
    names = [row[0] for row in visible_rows(page, "slices-table")]
    assert names == ["everything small", "head small", "tail small"]
    least.select_option("30")
    page.wait_for_function("document.querySelectorAll('#slices-chart .mark-rect path').length == 2")
    assert [row[0] for row in visible_rows(page, "slices-table")] == names[:2]
    least.select_option("0")
    family.select_option("*")
    page.wait_for_function("document.querySelectorAll('#slices-chart .mark-rect path').length == 4")


def test_the_comparison_is_cut_to_a_family_too(shown: Opened) -> None:
    page = shown.page
    family = page.locator("select[data-table=comparison-table]")
    family.select_option("history_segment")
    # Two recommenders on the whole and on one slice, and the two of the legend.
    page.wait_for_function(
        "document.querySelectorAll('#comparison-chart .mark-symbol path').length == 4 + 2"
    )
    assert [row[0] for row in visible_rows(page, "comparison-table")] == [
        *("everything small", "10-49 small"),
    ]
    family.select_option("*")
    page.wait_for_function(
        "document.querySelectorAll('#comparison-chart .mark-symbol path').length == 8 + 2"
    )
    assert shown.messages == []


def test_tables_sort_and_filter_by_keyboard(shown: Opened) -> None:
    page = shown.page
    heading = page.locator("#comparison-table th", has_text="Windows")
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert [row[1] for row in visible_rows(page, "comparison-table")] == ["80", "80", "64", "16"]
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [row[1] for row in visible_rows(page, "comparison-table")] == ["16", "64", "80", "80"]
    # A true minus and a sign do not hinder numbers from being numbers.
    against = page.locator("#comparison-table th", has_text="against popularity")
    against.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") is None
    # 0.359375 - 0.0625, 0.3125 - 0.05 twice, 0.125 - 0.
    assert next(row[3] for row in visible_rows(page, "comparison-table")) == "+0.2969 (0.0625)"
    field = page.locator(".tools", has=page.locator("[data-count-of=slices-table]"))
    field.get_by_role("searchbox").press_sequentially("tail")
    assert [row[0] for row in visible_rows(page, "slices-table")] == ["tail small"]
    count = field.locator("[role=status]")
    assert count.inner_text().startswith("1 of ")
    with page.expect_download() as download:
        field.get_by_role("button").press("Enter")
    saved = Path(str(download.value.path())).read_text()
    assert saved.splitlines()[0].startswith('"Slice","Metric"')
    assert len(saved.splitlines()) == 2
    field.get_by_role("searchbox").fill("")


def test_a_node_of_the_graph_lights_its_lines_and_leads_to_its_details(shown: Opened) -> None:
    page = shown.page
    node = page.locator("a.node.step", has_text="trainer")
    node.focus()
    assert page.locator(".edge.lit").count() == page.locator("[data-from=step-trainer]").count() > 0
    page.keyboard.press("Enter")
    page.wait_for_selector("#step-trainer[open]")
    page.locator("a.node.artifact").first.press("Enter")
    page.wait_for_selector("tr:target:visible")


def test_colours_follow_the_readers_scheme(shown: Opened) -> None:
    page = shown.page
    colour = (
        "part => [getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector(part)).fill]"
    )
    light = page.evaluate(colour, BARS)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(colour, BARS)
    page.emulate_media(color_scheme="light")
    assert light[0] == "rgb(252, 252, 251)"
    assert dark[0] == "rgb(20, 24, 28)"
    assert light[1] != dark[1]


@pytest.mark.parametrize("name", ["run.html", "all.html"])
def test_a_sheet_of_paper_holds_everything_and_is_light(
    browser: Browser, files: Path, name: str
) -> None:
    size = {"width": A4_WIDTH, "height": 1000}
    for opened in open_file(browser, files / name, viewport=size, color_scheme="dark"):
        page = opened.page
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("details:not([open])").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= A4_WIDTH
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(252, 252, 251)"
        )
        assert page.locator("nav").is_hidden()
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("details:not([open])").count() > 0
        assert page.pdf().startswith(b"%PDF")


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, files: Path) -> None:
    for name in ("run.html", "all.html"):
        for opened in open_file(browser, files / name, viewport={"width": 390, "height": 800}):
            page = opened.page
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert opened.messages == []


def test_a_runs_story_opens_from_the_table_of_all_runs(browser: Browser, files: Path) -> None:
    for opened in open_file(browser, files / "all.html"):
        page = opened.page
        assert page.locator("details.story[open]").count() == 1
        page.locator("#runs a", has_text="1").click()
        page.wait_for_selector("#run-1[open] .chart svg")
        assert opened.messages == []


def test_without_scripts_the_tables_show_everything(browser: Browser, files: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((files / "run.html").as_uri())
    # Three metrics on four slices, and recall@1 on the whole alone.
    assert page.locator("#slices-table tbody tr:visible").count() == 13
    assert page.locator(".controls:visible").count() == 0
    assert page.locator("#gate-table tbody tr:visible").count() == 2
    assert page.locator(".waiting:visible").count() == 9
    context.close()


def test_parts_and_fields_have_names(shown: Opened) -> None:
    page = shown.page
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1, role
    nameless = page.evaluate(
        "[...document.querySelectorAll('select, input, button, summary, a')]"
        ".filter(e => !(e.labels?.length || e.textContent.trim() || e.ariaLabel))"
        ".map(e => e.outerHTML)"
    )
    assert nameless == []
    headless = page.evaluate(
        "[...document.querySelectorAll('thead th')].filter(e => e.scope !== 'col').length"
        " + [...document.querySelectorAll('tbody tr')]"
        ".filter(e => e.querySelectorAll('th[scope=row]').length !== 1).length"
    )
    assert headless == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["run.html", "all.html"])
def test_axe_finds_no_violation(browser: Browser, files: Path, name: str, scheme: str) -> None:
    for found in open_file(browser, files / name, color_scheme=scheme):
        assert violations(found.page) == []
