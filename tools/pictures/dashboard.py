"""Pictures of the dashboard's sections."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tools import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Scheme = Literal["light", "dark"]

_DRAWN = "html[data-drawn=all]"
_SIZE = (1280, 900)
_MARGIN = 32
_MOST_HEIGHT = 1170
_SECTIONS: Sequence[tuple[str, Scheme]] = (
    ("slices", "dark"),
    ("comparison", "light"),
    ("history", "light"),
    ("lineage", "dark"),
)


def pictures(out: Path, workspace: Path) -> list[Path]:
    """Takes pictures of the page about a workspace's latest run.

    Args:
        out: Folder for the PNG files.
        workspace: Holds the runs.

    Returns:
        The files.
    """
    from pipeline.cli.main import main
    from pipeline.errors import PocketRecError

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium.browser() as browser:
        page_file = Path(folder) / "run.html"
        words = ["dashboard", "--workspace", str(workspace), "--output", str(page_file)]
        if main(words):
            raise PocketRecError(f"{workspace}: no dashboard of its latest run")
        return [
            _shoot(browser, page_file, out / "dashboard-overview-light.png", "light"),
            *(
                _shoot(browser, page_file, out / f"dashboard-{name}-{scheme}.png", scheme, name)
                for name, scheme in _SECTIONS
            ),
        ]


def _shoot(
    browser: Browser, page_file: Path, picture: Path, scheme: Scheme, section: str = ""
) -> Path:
    """Takes a picture of a section from its heading on, or of the top of the page."""
    width, height = _SIZE
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.wait_for_selector(_DRAWN)
    if not section:
        page.screenshot(path=picture)
    else:
        # Bars that stay in view would cover part of a section that is higher than the window.
        page.add_style_tag(content="nav { position: static !important }")
        box = page.locator(f"section[aria-labelledby={section}]").bounding_box()
        assert box is not None
        clip = {
            "x": box["x"] - _MARGIN,
            "y": box["y"],
            "width": box["width"] + 2 * _MARGIN,
            "height": min(box["height"], _MOST_HEIGHT) + _MARGIN,
        }
        page.screenshot(path=picture, full_page=True, clip=clip)  # type: ignore[arg-type]
    context.close()
    return picture
