"""A run on a terminal: the list of stages, renewed in place."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import IO

from rich.console import Console, ConsoleDimensions, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipeline.progress.board import RUNNING, WAITING, Board, Row, clock_time
from pipeline.progress.events import Event, StageEnded

_FRAMES_A_SECOND = 8
_SHOW_CURSOR = b"\x1b[?25h\n"
# Title, two empty lines, bar, message, path of the log, and the line that the cursor is on.
_LINES_BESIDES_ROWS = 8
_FEWEST_ROWS = 3
_TIME_WIDTH = 8
_COLUMN_GAPS = 4


@dataclasses.dataclass(frozen=True)
class _Look:
    """How a state is shown.

    Attributes:
        mark: Before the name.
        ascii_mark: The same for terminals without more.
        style: Of the mark. None of them vanishes on a light or on a dark background.
        name_style: Of the name: only marks are coloured, names stay as readable as any text.
        label: Instead of the time; None shows the time.
        label_style: Of either.
    """

    mark: str
    ascii_mark: str
    style: str
    name_style: str = ""
    label: str | None = None
    label_style: str = ""


_LOOKS = {
    WAITING: _Look("·", ".", "dim", "dim", ""),
    RUNNING: _Look("", "*", "bold", "bold"),
    "finished": _Look("✓", "+", "green"),
    "cached": _Look("✓", "+", "green", "", "cached", "dim"),
    "failed": _Look("✗", "x", "bold red", "bold", "FAILED", "bold red"),
    "interrupted": _Look("✗", "x", "bold red", "bold", "stopped", "bold red"),
}


class _TerminalConsole(Console):
    """A console as large as its own terminal, whatever the standard streams are by now."""

    @property  # type: ignore[misc]  # a terminal's size is its user's to set
    def size(self) -> ConsoleDimensions:
        """Columns and lines at this moment."""
        columns, lines = os.get_terminal_size(self.file.fileno())
        # Some terminals do not know their size.
        return ConsoleDimensions(columns or 80, lines or 24)


class LiveScreen:
    """Shows a run's stages, their times and figures, on a terminal."""

    def __init__(self, stream: IO[str]) -> None:
        """Starts to show an empty board.

        Args:
            stream: A terminal.
        """
        self._stream = stream
        self._board = Board()
        self._spinner = Spinner("dots")
        console = _TerminalConsole(file=stream, force_terminal=True, highlight=False)
        self._live = Live(
            self,
            console=console,
            refresh_per_second=_FRAMES_A_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def show(self, event: Event) -> None:
        """Takes an event onto the board, which the next frame shows."""
        self._board.take(event)
        if isinstance(event, StageEnded):
            # A step that takes no time would be seen only when the next one is over.
            self._live.refresh()

    def close(self) -> None:
        """Leaves the last frame on the screen."""
        self._live.stop()

    def abandon(self, last_words: str) -> None:
        """Gives the terminal back at once, from any thread, frame or no frame."""
        if not self._stream.closed:
            os.write(self._stream.fileno(), _SHOW_CURSOR + last_words.encode() + b"\n")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draws a frame."""
        board = self._board
        yield self._title(board)
        if board.rows:
            yield Text()
            yield self._rows(board, options)
            yield from self._now(board, options)
        elif board.message:
            yield Group(self._working(board.message, options))
        if board.log:
            log = _from_here(board.log)
            yield Text(f"log: {log}", style="dim", overflow="ellipsis", no_wrap=True)

    def _title(self, board: Board) -> Table:
        line = Table.grid(expand=True)
        line.add_column(no_wrap=True, overflow="ellipsis")
        line.add_column(justify="right", no_wrap=True)
        elapsed = Text(clock_time(board.clock() - board.began), style="bold")
        line.add_row(Text.assemble(("PocketRec", "bold"), "  ", board.title), elapsed)
        return line

    def _rows(self, board: Board, options: ConsoleOptions) -> Table:
        # Not wider than it must be: what is full of blanks wraps when the terminal gets narrower.
        table = Table.grid(padding=(0, 1))
        names = max(len(row.stage) for row in board.rows)
        rest = options.max_width - 1 - names - _TIME_WIDTH - _COLUMN_GAPS
        table.add_column(width=1)
        table.add_column(no_wrap=True, width=names)
        table.add_column(justify="right", no_wrap=True, width=_TIME_WIDTH)
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(1, rest))
        shown, hidden = _that_fit(board.rows, options.size.height - _LINES_BESIDES_ROWS)
        if hidden:
            table.add_row("", Text(f"{hidden} more", style="dim"), "", "")
        for row in shown:
            table.add_row(*self._cells(board, row, options))
        return table

    def _cells(self, board: Board, row: Row, options: ConsoleOptions) -> list[Text]:
        look, running = _LOOKS[row.state], row.state == RUNNING
        mark = look.ascii_mark if options.ascii_only else look.mark or self._spin()
        seconds = clock_time(board.clock() - row.started) if running else f"{row.seconds:.1f} s"
        return [
            Text(mark, style=look.style),
            Text(row.stage, style=look.name_style),
            Text(seconds if look.label is None else look.label, style=look.label_style),
            Text(row.figures),
        ]

    def _spin(self) -> str:
        rendered = self._spinner.render(self._board.clock())
        return rendered.plain if isinstance(rendered, Text) else ""

    def _now(self, board: Board, options: ConsoleOptions) -> RenderResult:
        """Draws what the stage under way says: a bar if its end is known, and its last line."""
        if board.current is None:
            return
        yield Text()
        share = board.share
        if share is not None:
            line = Table.grid(padding=(0, 1))
            for _ in range(4):
                line.add_column(no_wrap=True)
            done = min(share.done, share.total)
            line.add_row(
                " ",
                ProgressBar(
                    share.total,
                    done,
                    width=max(10, options.max_width // 2 - 4),
                    complete_style="green",
                    finished_style="green",
                    style="dim",
                ),
                Text(f"{100 * done / share.total:3.0f}%"),
                Text(share.left, style="dim"),
            )
            yield line
        if board.message:
            yield Text(f"  {board.message}", style="dim", overflow="ellipsis", no_wrap=True)

    def _working(self, message: str, options: ConsoleOptions) -> Text:
        mark = _LOOKS[RUNNING].ascii_mark if options.ascii_only else self._spin()
        return Text(f"{mark} {message}", overflow="ellipsis", no_wrap=True)


def _from_here(path: str) -> str:
    """Returns a path without the current folder, where it lies in it."""
    return path.removeprefix(f"{Path.cwd()}{os.sep}")


def _that_fit(rows: list[Row], lines: int) -> tuple[list[Row], int]:
    """Returns the rows for so many lines, those over first left out, and how many are not shown."""
    fit = max(_FEWEST_ROWS, lines)
    if len(rows) <= fit:
        return rows, 0
    current = next((i for i, row in enumerate(rows) if row.state in (WAITING, RUNNING)), len(rows))
    room = fit - 1
    first = max(0, min(current - room // 2, len(rows) - room))
    return rows[first : first + room], len(rows) - room
