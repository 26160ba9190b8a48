"""Pictures of the browser demo, and the icons that it is installed with."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tools import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from pipeline.demo.site import Site

PHONE = (390, 844)
DESKTOP = (1280, 900)
READY = ".status-ready"

_ICONS = (("icon-192.png", 192, 15), ("icon-512.png", 512, 15), ("icon-maskable-512.png", 512, 0))
_HISTORY = (40, 25, 12, 5, 1)
"""The movies that are watched in the pictures, by their places in the catalogue."""
_WHY_OF = 3

Scheme = Literal["light", "dark"]


def pictures(out: Path, workspace: Path) -> list[Path]:
    """Takes the pictures of the documentation, of a workspace's champion.

    Args:
        out: Folder for the PNG files.
        workspace: Its registry holds the model.

    Returns:
        The files.
    """
    from pipeline.demo.app import find_app
    from pipeline.demo.site import collect
    from pipeline.registry.registry import resolve_bundle
    from pipeline.workspace import Workspace
    from pocketrec_device import Bundle

    out.mkdir(parents=True, exist_ok=True)
    bundle = resolve_bundle("champion", Workspace.at(workspace))
    site = collect(find_app(), bundle)
    movies = Bundle.load(bundle).movies
    titles = [movies[min(place, len(movies) - 1)].title for place in _HISTORY]

    def prepare(page: Page) -> None:
        watch(page, titles)

    with served(site) as address, chromium.browser() as browser:
        return [
            shoot(browser, address, out / "demo-phone-light.png", PHONE, "light", prepare),
            shoot(browser, address, out / "demo-desktop-dark.png", DESKTOP, "dark", prepare),
        ]


def shoot(
    browser: Browser,
    address: str,
    target: Path,
    size: tuple[int, int],
    scheme: Scheme,
    prepare: Callable[[Page], None] | None = None,
    *,
    is_whole: bool = False,
) -> Path:
    """Opens the page anew, has it prepared and takes a picture.

    Args:
        browser: A running one.
        address: Of the page.
        target: The PNG file to write.
        size: Width and height of the window, CSS pixels.
        scheme: What the user's system prefers.
        prepare: What to do on the page once it is ready.
        is_whole: Takes the whole page, not only what the window shows.

    Returns:
        `target`.
    """
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    try:
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector(READY)
        if prepare:
            prepare(page)
        page.screenshot(path=target, full_page=is_whole)
    finally:
        context.close()
    return target


def watch(page: Page, titles: Sequence[str]) -> None:
    """Types titles into the search, takes the first movie found, and asks for one reason."""
    field = page.get_by_role("combobox", name="Search by title")
    for title in titles:
        field.fill(title)
        field.press("Enter")
    page.wait_for_selector(f".card:nth-child({_WHY_OF})")
    page.locator(".why").nth(_WHY_OF - 1).click()
    page.wait_for_selector(".reason")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")


def icons(drawing: Path, out: Path) -> list[Path]:
    """Draws the app's icon as the PNG files that its web manifest lists.

    Args:
        drawing: The icon as SVG, 64 units wide, on a square with rounded corners.
        out: Folder for the files.

    Returns:
        The files.
    """
    text = drawing.read_text(encoding="utf-8")
    files = []
    with chromium.browser() as browser:
        for name, size, radius in _ICONS:
            page = browser.new_page(viewport={"width": size, "height": size})
            # A maskable icon is cut by whoever shows it, so its ground reaches the corners.
            picture = text.replace('rx="15"', f'rx="{radius}"', 1)
            page.set_content(
                f"<style>body {{ margin: 0 }} svg {{ display: block; width: {size}px }}</style>"
                + picture
            )
            page.screenshot(path=out / name, omit_background=True)
            page.close()
            files.append(out / name)
    return files


@contextlib.contextmanager
def served(site: Site) -> Iterator[str]:
    """Serves a site for as long as the block takes; yields its address."""
    from pipeline.demo.server import DemoServer

    with DemoServer(site, 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()
