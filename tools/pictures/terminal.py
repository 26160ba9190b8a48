"""Pictures of the command line: real commands on a pseudo-terminal, their frames as images."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shlex
import struct
import sys
import tempfile
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME, TerminalTheme
from rich.text import Text

from pipeline.registry.registry import resolve_bundle
from pipeline.workspace import Workspace
from pocketrec_device import Bundle
from tools.chromium import browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROJECT = Path(__file__).resolve().parents[2]
COLUMNS = 80
_ROWS = 40
_COLOURS = 64
# What Rich's live display sends before it draws a frame anew.
_RENEWAL = re.compile(r"\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)+")
_VIEW_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_CURSOR = re.compile(r"\x1b\[\?25[hl]")
DARK, LIGHT = SVG_EXPORT_THEME, DEFAULT_TERMINAL_THEME
_PROGRAM = (sys.executable, "-m", "pipeline.cli.main")


def pictures(out: Path, workspace: Path) -> list[Path]:
    """Makes the pictures: a run of its own on generated data, in a minute or two, and two answers.

    Args:
        out: Folder for the PNG files.
        workspace: With a registered model.

    Returns:
        The files.
    """
    workspace = workspace.resolve()
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as folder:
        run = on_terminal([*_PROGRAM, "run"], folder=Path(folder))
    shot = [("terminal-run.png", "pocketrec run", _training_and_end(run))]
    for command, words in (("recommend", [_misspelled(workspace)]), ("doctor", [])):
        place = ["--workspace", workspace.name]
        sent = on_terminal([*_PROGRAM, command, *words, *place], folder=workspace.parent)
        shot.append((f"terminal-{command}.png", shlex.join(["pocketrec", command, *words]), sent))
    out.mkdir(parents=True, exist_ok=True)
    with browser() as running:
        return [photograph(running, text, out / name, title) for name, title, text in shot]


def on_terminal(command: Sequence[str], *, columns: int = COLUMNS, folder: Path = PROJECT) -> str:
    """Runs a command on a terminal of its own and returns all that it sent there.

    Args:
        command: Program and arguments.
        columns: The terminal's width.
        folder: Where it runs.
    """
    child, terminal = pty.fork()
    if child == 0:
        # The size is set before the program looks for it.
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
        os.environ["TERM"] = "xterm-256color"
        os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (PROJECT, PROJECT / "device/python")))
        os.environ.pop("NO_COLOR", None)
        os.chdir(folder)
        os.execvp(command[0], list(command))
    sent = bytearray()
    while chunk := _read(terminal):
        sent += chunk
    os.close(terminal)
    os.waitpid(child, 0)
    return sent.decode("utf-8", errors="replace").replace("\r\n", "\n")


def frames(sent: str) -> list[str]:
    """Returns what the screen showed, one text a renewal of the live display.

    What is printed before and after the display is part of the first and of the last frame.
    """
    return _RENEWAL.split(_CURSOR.sub("", sent))


def photograph(
    running: Browser,
    sent: str,
    target: Path,
    title: str,
    *,
    columns: int = COLUMNS,
    theme: TerminalTheme = DARK,
) -> Path:
    """Writes a picture of one frame.

    Args:
        running: Draws the picture.
        sent: The frame, with its colours as a terminal gets them.
        target: The PNG file.
        title: Above it.
        columns: The terminal's width.
        theme: Colours.
    """
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(sent.rstrip("\n")), soft_wrap=False)
    # Fonts of the system alone: the picture is made without a network.
    svg = re.sub(
        r"@font-face \{.*?\}", "", console.export_svg(title=title, theme=theme), flags=re.S
    )
    svg = svg.replace("Fira Code", "DejaVu Sans Mono")
    # Without a size of its own a drawing takes the window's.
    svg = _VIEW_BOX.sub(r'\g<0> width="\g<1>" height="\g<2>"', svg, count=1)
    page = running.new_page(device_scale_factor=1.25)
    try:
        page.set_content(f'<body style="margin:0">{svg}</body>')
        shot = page.locator("svg").first.screenshot(omit_background=True)
    finally:
        page.close()
    # Text in a few colours: a palette takes a third of the bytes.
    Image.open(io.BytesIO(shot)).quantize(_COLOURS).save(target, optimize=True)
    return target


def _misspelled(workspace: Path) -> str:
    """Returns the name of the champion's most watched movie, two letters of it exchanged."""
    place = Workspace.at(workspace)
    bundle = Bundle.load(resolve_bundle("champion", place, None, "pocketrec"))
    title = re.sub(r" \(\d{4}\)$", "", bundle.movies[0].title)
    return f"{title[:-3]}{title[-2]}{title[-3]}{title[-1]}"


def _training_and_end(sent: str) -> str:
    """Returns a frame in the midst of training above the last one."""
    shown = frames(sent)
    training = [frame for frame in shown if "loss" in frame and "left" in frame]
    return f"{training[len(training) // 2].rstrip()}\n\n{shown[-1]}"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        # Linux' way to say that nobody has the other end open.
        return b""
