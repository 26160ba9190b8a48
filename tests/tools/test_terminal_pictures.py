"""Pictures of terminals: what a command sent there, one frame of it, an image."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from tests.browser.chromium import browser
from tools.pictures.terminal import frames, on_terminal, photograph

__all__ = ["browser"]

_ERASE = "\r\x1b[2K\x1b[1A\x1b[2K"
_MOST_BYTES = 300_000


def test_a_live_display_is_taken_apart_into_its_frames() -> None:
    sent = f"\x1b[?25ltitle\nfirst{_ERASE}title\nsecond{_ERASE}title\nlast\n\x1b[?25hsummary\n"
    assert frames(sent) == ["title\nfirst", "title\nsecond", "title\nlast\nsummary\n"]


def test_a_command_finds_a_terminal_of_the_width_that_is_asked_for(tmp_path: Path) -> None:
    program = "import os; print(os.get_terminal_size().columns, os.isatty(1), os.getcwd())"
    sent = on_terminal([sys.executable, "-c", program], columns=93, folder=tmp_path)
    assert sent == f"93 True {tmp_path}\n"


def test_a_picture_is_as_wide_as_its_terminal_and_small(tmp_path: Path, browser: Browser) -> None:
    sizes = []
    for columns in (80, 120):
        file = tmp_path / f"{columns}.png"
        assert photograph(browser, "\x1b[32mok\x1b[0m\n" * 9, file, "x", columns=columns) == file
        assert file.stat().st_size < _MOST_BYTES
        with Image.open(file) as image:
            sizes.append(image.size)
    (narrow, height), (wide, same) = sizes
    assert height == same
    assert 1.4 < wide / narrow < 1.55
