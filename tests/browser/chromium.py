"""The browser of the tests: shared by a module's tests, required where $POCKETREC_BROWSER says so."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tools import chromium

_REQUIRED = os.environ.get("POCKETREC_BROWSER") == "required"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yields a headless Chromium; without one the test is skipped, in continuous integration failed."""
    try:
        with chromium.browser() as started:
            yield started
    except chromium.NoChromiumError as error:
        if _REQUIRED:
            pytest.fail(str(error))
        pytest.skip(str(error))
