"""Names that a pipeline takes from its settings."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.config.root import Config
from pipeline.config.spans import has_spans, without_placeholders

DEFAULT_SPLIT = "leave_last_out"


def dataset_label(dataset: str) -> str:
    """Returns a short name for a release's name or path: letters, digits and dashes."""
    if has_spans(dataset):
        # Of a pattern, the part that the spans share: ratings of data/ratings-{SPAN}/v{VERSION}.
        dataset = without_placeholders(dataset)
    return _plain(Path(dataset).name.removesuffix(".zip")) or "data"


def pipeline_name(config: Config) -> str:
    """Returns the pipeline's name: models are compared with blessed ones of the same name.

    Another split strategy is another name: a model that was trained on what this split holds out
    would be compared on its own training data.
    """
    name = f"pocketrec-{dataset_label(config.dataset)}"
    strategy = config.data.split.strategy
    return name if strategy == DEFAULT_SPLIT else f"{name}-{_plain(strategy)}"


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
