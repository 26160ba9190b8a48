"""A JupyterLab of the tests, and notebooks run in it by a browser."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, expect

PROJECT = Path(__file__).resolve().parents[2]
NOTEBOOKS = PROJECT / "notebooks"


@contextlib.contextmanager
def jupyter_lab(folder: Path, workspace: Path) -> Iterator[str]:
    """Starts JupyterLab on copies of the notebooks; yields the address of its page, with token.

    Args:
        folder: Empty; for the copies, settings and the log.
        workspace: What the notebooks look at.
    """
    notebooks = folder / "notebooks"
    shutil.copytree(NOTEBOOKS, notebooks)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environment = {
        **os.environ,
        "HOME": str(folder),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "POCKETREC_WORKSPACE": str(workspace),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "device" / "python")]),
    }
    words = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    words += [f"--port={port}", f"--IdentityProvider.token={token}", f"--notebook-dir={notebooks}"]
    with (folder / "jupyter.log").open("wb") as log:
        server = subprocess.Popen(
            words, cwd=notebooks, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _await_answer(f"http://127.0.0.1:{port}/api?token={token}", server)
            yield f"http://127.0.0.1:{port}/lab/tree/{{notebook}}?token={token}&reset"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _await_answer(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, f"JupyterLab ended with {server.returncode}"
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise AssertionError("JupyterLab does not answer")


def run_all_cells(page: Page, address: str) -> None:
    """Opens a notebook and runs it to its end, as a user does by the menu."""
    page.goto(address)
    page.locator(".jp-Notebook").wait_for(timeout=120_000)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=120_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    cells = page.locator(".jp-CodeCell")
    expect(cells.last.locator(".jp-InputPrompt")).to_have_text(
        f"[{cells.count()}]:", timeout=60_000
    )
