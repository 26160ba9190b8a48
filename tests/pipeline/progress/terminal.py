"""A program on a pseudo-terminal of a given size, and what is on the screen in the end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Mapping

_SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


def on_terminal(
    program: str, columns: int, lines: int = 24, environment: Mapping[str, str] | None = None
) -> tuple[str, int]:
    """Runs a Python program; returns all that it sent and its exit status."""
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
        kept |= {"TERM": "xterm-256color", **(environment or {})}
        os.execve(sys.executable, [sys.executable, "-c", program], kept)
    sent = bytearray()
    while True:
        try:
            chunk = os.read(terminal, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        sent += chunk
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return sent.decode(), os.waitstatus_to_exitcode(status)


def screen(sent: str) -> list[str]:
    """Returns the lines that stand on the screen, as a terminal without an end would show them.

    Understands what Rich's live display sends: lines, colours, the cursor up, a line erased.
    """
    lines = [""]
    row = column = place = 0
    while place < len(sent):
        match = _SEQUENCE.match(sent, place)
        if match is not None:
            place = match.end()
            number, command = match.groups()
            if command == "A":
                row -= int(number or 1)
            elif command == "K":
                lines[row] = ""
            elif command not in ("m", "h", "l"):
                raise ValueError(f"unknown sequence {match.group()!r}")
            continue
        char = sent[place]
        place += 1
        if char == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif char == "\r":
            column = 0
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + char + line[column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]
