"""What a command says when it cannot go on: one sentence, and where to read more."""

from __future__ import annotations

import errno
import os
import tempfile
import traceback
from pathlib import Path

from pipeline.errors import PocketRecError

_WAYS_OUT = {
    errno.ENOSPC: "free some space, or name a folder on another disk",
    errno.EDQUOT: "free some of your quota, or name a folder on another disk",
    errno.EACCES: "give yourself the right to it, or name another place",
    errno.EPERM: "give yourself the right to it, or name another place",
    errno.EROFS: "name a place that can be written to",
    errno.ENOTDIR: "a part of that path is a file; name another place",
    errno.EISDIR: "name a file",
    errno.EEXIST: "a file is in the way; remove it, or name another place",
    errno.ENAMETOOLONG: "name a shorter path",
    errno.ENOENT: "name one that exists",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
    errno.ENOMEM: "close other programs, or take a machine with more memory",
    errno.EFBIG: "raise the limit of a file's size (`ulimit -f`)",
}


def user_message(error: BaseException) -> str | None:
    """Returns what to tell of an error that is the user's to mend; None for any other."""
    if isinstance(error, PocketRecError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory; close other programs, or take a machine with more"
    if type(error).__module__.startswith("mlflow."):
        # Not imported for this: whoever raised it has.
        return f"MLflow: {_without_middle(error)}; check --tracking-uri and the server behind it"
    if isinstance(error, OSError) and error.errno in _WAYS_OUT:
        # Without a name it is a pipe's or a socket's, which nobody has named either.
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        if names or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE):
            place = f"{names[-1]}: " if names else ""
            return f"{place}{os.strerror(error.errno)}; {_WAYS_OUT[error.errno]}"
    return None


def unexpected_message(error: BaseException, logs: Path) -> str:
    """Keeps the traceback of an error that should not happen, and returns what to tell of it.

    Args:
        error: As it was raised.
        logs: The workspace's folder of logs; where it does not exist, a temporary file is made.
    """
    first = _first_line(error)
    told = f"{type(error).__name__}: {first}" if first else type(error).__name__
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return (
        f"unexpected error, which is a mistake in PocketRec: {told}. The traceback is in "
        f"{_kept(text, logs)}; --debug shows it"
    )


def check_workspace(path: Path) -> None:
    """Makes sure that a workspace is a folder, or can become one.

    Raises:
        PocketRecError: It, or a part of its path, is a file.
    """
    for part in (path, *path.parents):
        if part.exists():
            if not part.is_dir():
                raise PocketRecError(f"--workspace {path}: {part} is a file; name a folder")
            return


def _without_middle(error: BaseException) -> str:
    """Returns what was tried and the reason alone, from an error that names all in between."""
    tried, _, rest = _first_line(error).partition(" failed with exception ")
    reason = rest.rpartition(": ")[2].strip("()'\" ")
    return f"{tried} failed ({reason})" if reason else tried


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")


def _kept(text: str, logs: Path) -> str:
    for folder in (logs, Path(tempfile.gettempdir())):
        if not folder.is_dir():
            continue
        try:
            handle, name = tempfile.mkstemp(prefix="error-", suffix=".log", dir=folder)
        except OSError:
            continue
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        return name
    return "no file, as none could be written"
