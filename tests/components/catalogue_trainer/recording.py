"""Training functions that train nothing: they write down what they were given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def run_fn(fn_args: Any) -> None:
    """Writes `custom_config` where the model would stand."""
    folder = Path(fn_args.serving_model_dir)
    folder.mkdir(parents=True)
    seen = {
        "custom_config": fn_args.custom_config,
        "train_files": fn_args.train_files,
        "transform_graph_path": fn_args.transform_graph_path,
    }
    (folder / "seen.json").write_text(json.dumps(seen))
