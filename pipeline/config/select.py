"""Which configuration file a run takes when none is named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.config.root import CONFIGS_DIR, Config, load_config

SAMPLE_CONFIG = "sample.yaml"
RELEASE_CONFIG = "release.yaml"


def select_config_file(config: Path | None, dataset: str | None) -> Path:
    """Returns the named file, else the data set's own one, else that of any release.

    Where neither file nor data set is named, the embedded sample runs.

    Args:
        config: The file that the user named, or None.
        dataset: The data set that the user named, a release's name or a path, or None.
    """
    if config is not None:
        return config
    if dataset is None:
        return CONFIGS_DIR / SAMPLE_CONFIG
    own = CONFIGS_DIR / f"{Path(dataset).name.removesuffix('.zip')}.yaml"
    return own if own.is_file() else CONFIGS_DIR / RELEASE_CONFIG


def load_selected(
    config: Path | None,
    dataset: str | None,
    overrides: Sequence[str],
    overlays: Sequence[Path] = (),
) -> Config:
    """Reads the settings that a command's options mean.

    Args:
        config: The file that the user named, or None: see `select_config_file`.
        dataset: The data set that the user named, or None: the file's.
        overrides: `a.b=value` strings.
        overlays: Files that hold some of the settings, laid over the configuration in order.

    Raises:
        ConfigError: The settings cannot be used.
    """
    chosen = list(overrides)
    if dataset is not None:
        chosen.append(f"dataset={json.dumps(dataset)}")
    return load_config(select_config_file(config, dataset), chosen, overlays)
