"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import logging
import os
import warnings
from pathlib import Path

from pipeline.workspace import DEFAULT_WORKSPACE


def add_workspace(parser: argparse.ArgumentParser) -> None:
    """Adds `--workspace`, the folder that holds all state."""
    parser.add_argument(
        "--workspace",
        type=Path,
        default=DEFAULT_WORKSPACE,
        metavar="DIR",
        help="folder that holds all state of the runs (default: ./workspace)",
    )


def add_overlay(parser: argparse.ArgumentParser) -> None:
    """Adds `--overlay`, settings that are laid over the configuration."""
    parser.add_argument(
        "--overlay",
        type=Path,
        action="append",
        default=[],
        dest="overlays",
        metavar="FILE",
        help="some settings, laid over the configuration, e.g. pipeline/configs/beam/flink.yaml; "
        "may be given again",
    )


def quiet_tensorflow() -> None:
    """Silences what TensorFlow and its companions say while they are imported.

    For commands that print a result; a run sends the same lines to its log.
    """
    # Native code reads this once, when TensorFlow is imported: 3 leaves fatal messages alone.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
