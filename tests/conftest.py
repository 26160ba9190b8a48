"""What the whole suite shares."""

from __future__ import annotations

import gc
import signal

import pytest


def pytest_configure() -> None:
    """Lets commands that tests start be interrupted, however the suite was started.

    Shells start what is to run behind them with interrupts ignored, and children inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Takes what all imports have made out of the garbage collector's sight.

    TensorFlow and TFX leave a million objects, which every collection would walk through, and so
    would pyarrow at every error that it raises: a quarter of a second each.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test that opens a real browser, so that they run by themselves."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
