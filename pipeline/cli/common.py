"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli import choices
from pipeline.workspace import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from pipeline.cli.variant_choice import VariantChoice
    from pocketrec_device import Bundle, Recommender


def add_workspace(parser: argparse.ArgumentParser) -> None:
    """Adds `--workspace`, the folder that holds all state."""
    action = parser.add_argument(
        "--workspace",
        type=Path,
        default=DEFAULT_WORKSPACE,
        metavar="DIR",
        help="folder that holds all state of the runs (default: ./workspace)",
    )
    choices.of_folders(action)


def add_overlay(parser: argparse.ArgumentParser) -> None:
    """Adds `--overlay`, settings that are laid over the configuration."""
    action = parser.add_argument(
        "--overlay",
        type=Path,
        action="append",
        default=[],
        dest="overlays",
        metavar="FILE",
        help="some settings, laid over the configuration, e.g. pipeline/configs/beam/flink.yaml; "
        "may be given again",
    )
    choices.of_yaml_files(action)


def give_up_soon() -> None:
    """Makes MLflow try a server that does not answer for seconds, not minutes.

    For commands that somebody waits for; a run, which has taken its time, keeps trying.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")


def quiet_tensorflow() -> None:
    """Silences what TensorFlow and its companions say while they are imported.

    For commands that print a result; a run sends the same lines to its log.
    """
    # Native code reads this once, when TensorFlow is imported: 3 leaves fatal messages alone.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")


def started(bundle: Bundle, choice: VariantChoice) -> Recommender:
    """Returns a recommender that has answered once: only then are LiteRT's kernels set up.

    Raises:
        DeviceError: The model cannot be opened or run.
    """
    from pocketrec_device import Recommender

    with quiet_native():
        recommender = Recommender(
            bundle, choice.variant, budget=choice.budget, memory_budget=choice.memory_budget
        )
        recommender.rank(recommender.encode([[1]]))
    return recommender


@contextlib.contextmanager
def quiet_native() -> Iterator[None]:
    """Drops what native code notes on standard error, such as LiteRT's name for its kernels.

    Whatever is more than a note is passed on at the end of the block.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            os.write(2, b"".join(line for line in said if not line.startswith(b"INFO: ")))


def open_in_browser(address: str) -> None:
    """Opens an address in the default browser, and says what came of it."""
    import webbrowser

    try:
        opened = webbrowser.open(address)
    except webbrowser.Error:
        opened = False
    print(
        "opened in the browser" if opened else f"no browser to open it with; open {address}",
        flush=True,
    )
