from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import browser
from tools import chromium

__all__ = ["browser"]


def test_the_browser_runs_a_pages_script(browser: Browser, tmp_path: Path) -> None:
    page_file = tmp_path / "page.html"
    page_file.write_text("<p>before</p><script>document.body.textContent = 6 * 7</script>")
    page = browser.new_page()
    page.goto(page_file.as_uri())
    assert page.inner_text("body") == "42"


def test_a_browser_that_is_named_and_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(chromium.EXECUTABLE_VARIABLE, "/nowhere/chromium")
    with pytest.raises(chromium.NoChromiumError, match=r"POCKETREC_CHROMIUM=/nowhere/chromium"):
        chromium.executable()


def test_no_browser_at_all_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(chromium.EXECUTABLE_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(chromium.NoChromiumError, match=r"tools/install-chromium"):
        chromium.executable()
