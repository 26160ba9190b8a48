"""Where the built app is."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import DemoError

PAGE = "index.html"
WORKER = "sw.js"
_CHECKOUT = Path(__file__).resolve().parents[2]
_BUILT = Path("device", "web", "demo", "dist")


def find_app(checkout: Path = _CHECKOUT) -> Path:
    """Returns the folder of the built app.

    Args:
        checkout: Of the project; the app is built there, and is no part of the Python package.

    Raises:
        DemoError: It has not been built.
    """
    folder = checkout / _BUILT
    missing = [name for name in (PAGE, WORKER) if not (folder / name).is_file()]
    if missing:
        raise DemoError(
            f"{folder}: the app is not built (no {missing[0]}); run `make demo`, or `make web`, in "
            "a checkout of PocketRec"
        )
    return folder
