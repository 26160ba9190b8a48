"""A headless Chromium, for tests and for pictures of what people see."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EXECUTABLE_VARIABLE = "POCKETREC_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without a user namespace for its sandbox, as in most containers, Chromium does not start; the
# rest keeps it from speaking to anybody on its own.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class NoChromiumError(Exception):
    """No Chromium is installed; says how to get one."""


def executable() -> str:
    """Returns the browser's path: $POCKETREC_CHROMIUM, or the first one on the PATH.

    Raises:
        NoChromiumError: There is none.
    """
    named = os.environ.get(EXECUTABLE_VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise NoChromiumError(f"{EXECUTABLE_VARIABLE}={named}: no such program")
        return found
    for name in _NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    raise NoChromiumError(
        f"no Chromium found ({', '.join(_NAMES)}); install one (tools/install-chromium does on "
        f"Debian), or name it in ${EXECUTABLE_VARIABLE}"
    )


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Starts a browser, headless, and ends it.

    Raises:
        NoChromiumError: None is installed.
    """
    from playwright.sync_api import sync_playwright

    path = executable()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield started
        finally:
            started.close()
