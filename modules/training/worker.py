r"""One worker of a training by several processes or machines, without TFX.

    TF_CONFIG=... python -m modules.training.worker CONFIG --examples DIR --transform-graph DIR \
        --output DIR --set training.distribution.strategy=multi_worker

Every worker is started so, with its own `TF_CONFIG`, on the examples and the graph that the
pipeline's Transform made. `docs/training.md` says more.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

from modules.features import SPLIT_EVAL, SPLIT_TRAIN
from modules.trainer import run_fn
from modules.trainer_settings import trainer_settings
from pipeline.config.root import Config, load_config
from pipeline.errors import PocketRecError

MODEL, LOGS, CHECKPOINTS = "model", "logs", "checkpoints"


def trainer_arguments(
    config: Config,
    *,
    examples: Path,
    transform_graph: Path,
    catalogue: Path | None,
    output: Path,
    span: int | None = None,
    base_model: Path | None = None,
    teachers: Path | None = None,
) -> SimpleNamespace:
    """Returns what TFX would hand to `modules.trainer.run_fn`.

    Args:
        config: All settings.
        examples: Folder of the transformed examples, one folder a split in it.
        transform_graph: Folder of Transform's graph.
        catalogue: Folder of ingestion's split `catalogue`, or None.
        output: Gets the model, logs and checkpoints; a folder that all workers see.
        span: The newest span that ingestion read, where there are spans.
        base_model: Folder of the converted model that a warm start begins with.
        teachers: Folder of the teachers that were trained before, as the pipeline's step
            `teacher_models` leaves it.
    """
    custom = trainer_settings(config, str(output / CHECKPOINTS))
    if catalogue is not None:
        custom["catalogue"] = str(catalogue)
    if span is not None:
        custom["span"] = span
    if base_model is not None:
        custom["base_model"] = str(base_model)
    if teachers is not None:
        custom["teachers"] = str(teachers)
    return SimpleNamespace(
        train_files=[str(examples / f"Split-{SPLIT_TRAIN}/*")],
        eval_files=[str(examples / f"Split-{SPLIT_EVAL}/*")],
        transform_graph_path=str(transform_graph),
        serving_model_dir=str(output / MODEL),
        model_run_dir=str(output / LOGS),
        hyperparameters=None,
        custom_config=custom,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains as one of the workers; the chief writes the model, logs and checkpoints."""
    parser = argparse.ArgumentParser(
        prog="python -m modules.training.worker", description="Train as one of several workers."
    )
    parser.add_argument("config", type=Path, help="settings, a YAML file")
    parser.add_argument("--examples", type=Path, required=True, help="transformed examples")
    parser.add_argument("--transform-graph", type=Path, required=True, help="Transform's graph")
    parser.add_argument("--catalogue", type=Path, help="split `catalogue` of ingestion")
    parser.add_argument("--output", type=Path, required=True, help="a folder that all workers see")
    parser.add_argument("--span", type=int, help="the newest span that ingestion read")
    parser.add_argument("--base-model", type=Path, help="converted model of a warm start")
    parser.add_argument("--teachers", type=Path, help="output of the step `teacher_models`")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE")
    given = parser.parse_args(arguments)
    given.output.mkdir(parents=True, exist_ok=True)
    try:
        run_fn(
            trainer_arguments(
                load_config(given.config, given.set),
                examples=given.examples,
                transform_graph=given.transform_graph,
                catalogue=given.catalogue,
                output=given.output,
                span=given.span,
                base_model=given.base_model,
                teachers=given.teachers,
            )
        )
    except PocketRecError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
