"""The browser of the tests; $POCKETREC_BROWSER=required makes its absence a failure."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tools import chromium

_REQUIRED = os.environ.get("POCKETREC_BROWSER") == "required"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yields a headless Chromium; without one, skips the test or, where required, fails it."""
    try:
        with chromium.browser() as started:
            yield started
    except chromium.NoChromiumError as error:
        if _REQUIRED:
            pytest.fail(str(error))
        pytest.skip(str(error))
