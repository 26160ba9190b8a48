"""A JupyterLab of the tests, and notebooks run in it by a browser."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.servers import free_port, running

PROJECT = Path(__file__).resolve().parents[2]
NOTEBOOKS = PROJECT / "notebooks"

# Of a kernel, on a machine that has other work as well.
_START_MS = 300_000


@contextlib.contextmanager
def jupyter_lab(folder: Path, workspace: Path) -> Iterator[str]:
    """Starts JupyterLab on copies of the notebooks; yields the address of its page, with token.

    Args:
        folder: Empty; for the copies, settings and the log.
        workspace: What the notebooks look at.
    """
    notebooks = folder / "notebooks"
    shutil.copytree(NOTEBOOKS, notebooks)
    port = free_port()
    token = secrets.token_hex(16)
    settings = {
        "HOME": str(folder),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "POCKETREC_WORKSPACE": str(workspace),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "device" / "python")]),
    }
    words = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    words += [f"--port={port}", f"--IdentityProvider.token={token}", f"--notebook-dir={notebooks}"]
    host = f"http://127.0.0.1:{port}"
    with running(words, folder, f"{host}/api?token={token}", settings):
        yield f"{host}/lab/tree/{{notebook}}?token={token}&reset"


def run_all_cells(page: Page, address: str) -> None:
    """Opens a notebook and runs it to its end, as a user does by the menu."""
    page.goto(address)
    page.locator(".jp-Notebook").wait_for(timeout=_START_MS)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=_START_MS)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    cells = page.locator(".jp-CodeCell")
    expect(cells.last.locator(".jp-InputPrompt")).to_have_text(
        f"[{cells.count()}]:", timeout=60_000
    )
