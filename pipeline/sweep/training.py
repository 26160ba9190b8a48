"""One training of a study: trained, judged, converted and timed in a process of its own.

    python -m pipeline.sweep.training SPEC_JSON

writes `result.json` beside the file that it is given.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.reference_ranks.popularity import SEGMENTS, TrainingEvents, popularity_segments
from components.tflite_converter.budgets import budget_file, read_master
from components.tflite_converter.convert import convert
from components.tflite_converter.elastic_budget import BudgetTooSmallError
from components.tflite_converter.shipped import shipped
from modules import features
from modules.evaluation.latency import measure
from modules.evaluation.litert import TopKModel
from modules.evaluation.metric_names import chosen_by
from modules.evaluation.ranking import Ragged, list_ranks
from modules.models import serving
from modules.serving_inputs import further_inputs, inputs_of_windows
from modules.trainer_settings import HELD_OUT, training_hash
from modules.training.data import RunSettings, read_split, read_training_data
from modules.training.evaluation import HeldOutEvaluation
from modules.training.given_teacher import read_given_teachers
from modules.training.input import Windows
from modules.training.ranking import metrics_of_ranks
from modules.training.run import train_recommender
from modules.training.warm_start import Origin
from modules.vocabulary import read_vocabulary, vocabulary_path
from pipeline.config.budgets import budget_name
from pipeline.config.root import Config
from pipeline.config.tree import flat
from pipeline.errors import PocketRecError
from pipeline.sweep.child import end_with_parent
from pipeline.sweep.spec import LOGS, RESULT, Spec, tflite_file
from pipeline.text_file import write_text

_TIMED_HISTORIES = 256


def train_and_judge(spec: Spec, folder: Path) -> dict[str, Any]:
    """Trains a model and measures all that a study reports.

    Args:
        spec: What to train.
        folder: Gets logs and the `.tflite` files. A killed training goes on from its checkpoint,
            and one that is over is not trained again, be it as another student's teacher.

    Returns:
        `eval` and, where asked for, `test`: metrics of the full catalogue by name, and the same of
        each segment of the targets' popularity below `segments`; by each variant's name
        the same of its file, `bytes` of what ships, `unzipped_bytes` of what runs, `latency_ms`
        (median), `latency_min_ms`; `epochs`,
        `best_epoch`, `parameters`, `train_seconds`, `teachers_seconds`, `load_average`, and
        `train_peak_gib`, the most memory that a process held which trained it or a teacher

    Raises:
        PocketRecError: The training diverged or the model cannot be converted.
    """
    config, examples = spec.config, spec.examples
    settings = RunSettings(
        model=config.model,
        training=config.training,
        history=config.history,
        seed=config.seed,
        source_hash=training_hash(),
    )
    held_out = flat(config.data.model_dump(mode="json", include=set(HELD_OUT)))
    movie_ids, counts = read_vocabulary(vocabulary_path(examples.transform_graph))
    nothing = np.zeros(0, np.int64)
    # When something was watched, segments do not ask.
    events = TrainingEvents(nothing, nothing, np.concatenate([[0], counts]))
    data = read_training_data(
        settings,
        train_files=examples.files(features.SPLIT_TRAIN),
        eval_files=examples.files(features.SPLIT_EVAL),
        transform_graph=examples.transform_graph,
        catalogue=examples.catalogue,
        given_teachers=read_given_teachers(
            config.training,
            Origin(config.model, config.history, held_out, span=None),
            movie_ids,
            fetched=None,
        ),
    )
    top_k = config.conversion.top_k
    serving.check_top_k(top_k, movies=data.movies, history_length=config.history.length)
    trained = train_recommender(
        settings, data, checkpoint_root=Path(spec.checkpoints), log_folder=folder / LOGS
    )
    with tempfile.TemporaryDirectory(prefix="pocketrec-sweep-") as scratch:
        saved = str(Path(scratch, "model"))
        serving.export(trained.model, saved, top_k=top_k, history_length=config.history.length)
        timeout = config.conversion.timeout_seconds
        files: dict[str, bytes] = {
            name: convert(saved, name, timeout_seconds=timeout) for name in spec.variants
        }
        if config.model.item_table.name == "elastic":
            bases = list(files.values())
            files |= _cut(saved, bases, spec.budgets, gzip=config.conversion.gzip)
    for name, content in files.items():
        folder.joinpath(tflite_file(name)).write_bytes(content)
    served = {name: TopKModel(content, name) for name, content in files.items()}
    splits = [features.SPLIT_EVAL, *([features.SPLIT_TEST] if spec.report_test else [])]
    judged: dict[str, Any] = {}
    of_files: dict[str, dict[str, Any]] = {
        name: {
            "bytes": len(shipped(content, gzip=config.conversion.gzip)),
            "unzipped_bytes": len(content),
        }
        for name, content in files.items()
    }
    for split in splits:
        windows = read_split(
            settings,
            examples.files(split),
            examples.transform_graph,
            movies=data.movies,
            with_seen=True,
        )
        targets = windows.target.max(axis=1).astype(np.int64)
        segments = popularity_segments(events, targets)
        ranks = HeldOutEvaluation(trained.model, windows).ranks()
        judged[split] = metrics_by_segment(ranks, segments)
        inputs = _inputs(config, windows)
        rows = {name: values[:_TIMED_HISTORIES] for name, values in inputs.items()}
        for name, model in served.items():
            ranks = served_ranks(model, windows, inputs, data.movies)
            of_files[name][split] = metrics_by_segment(ranks, segments)
            if split == features.SPLIT_EVAL:
                time_ = measure(files[name], rows, spec.latency_invocations)
                of_files[name]["latency_ms"] = time_["median_ms"]
                of_files[name]["latency_min_ms"] = time_["min_ms"]
    scored = [row for row in trained.history if "recall_at_10" in row]
    best = max(scored, key=chosen_by)
    return {
        **judged,
        **of_files,
        "epochs": len(trained.history),
        "best_epoch": int(best["epoch"]),
        "parameters": trained.model.count_params(),
        "train_seconds": trained.seconds,
        "teachers_seconds": sum(teacher.seconds for teacher in trained.teachers),
        "train_peak_gib": trained.peak_gib,
        "load_average": os.getloadavg()[0],
    }


def _cut(
    saved_model: str, bases: Sequence[bytes], budgets: Sequence[int], *, gzip: bool
) -> dict[str, bytes]:
    """Returns the files for budgets, by name; those that nothing fits are left out."""
    files, master = {}, read_master(saved_model)
    for budget in budgets:
        with contextlib.suppress(BudgetTooSmallError):
            files[budget_name(budget)] = budget_file(
                bases, master, budget, size=lambda file: len(shipped(file, gzip=gzip))
            )
    return files


def metrics_by_segment(
    ranks: npt.NDArray[np.int64], segments: npt.NDArray[np.str_]
) -> dict[str, Any]:
    """Averages ranks over all windows, and over those of each segment of targets.

    Args:
        ranks: int64 [windows], from 1.
        segments: Text [windows], as `popularity_segments` names them.

    Returns:
        What `metrics_of_ranks` returns, and by segment the same and the number of `windows`, below
        `segments`; a segment without any window is left out.
    """
    parts = {name: ranks[segments == name] for name in SEGMENTS if (segments == name).any()}
    return {
        **metrics_of_ranks(ranks),
        "segments": {
            name: {"windows": len(part), **metrics_of_ranks(part)} for name, part in parts.items()
        },
    }


def served_ranks(
    model: TopKModel, windows: Windows, inputs: Mapping[str, Any], movies: int
) -> npt.NDArray[np.int64]:
    """Judges a converted file as the trained model is judged: int64 [windows], ranks from 1.

    What its list does not hold is a miss: recall at cuts above K, and the mean reciprocal rank,
    read low.

    Args:
        model: The file.
        windows: Held-out windows with the movies they have seen.
        inputs: Of these windows, by name.
        movies: Movies of the vocabulary.
    """
    further = {name: inputs[name] for name in model.inputs}
    ids, scores = model.predict(windows.context.astype(np.int64), further)
    seen = Ragged(windows.seen.astype(np.int64), windows.seen_splits)
    targets = windows.target.max(axis=1).astype(np.int64)
    return list_ranks(ids, scores, targets, seen, movies)


def _inputs(config: Config, windows: Windows) -> dict[str, Any]:
    names = [given.name for given in further_inputs(config.model)]
    return {
        features.CONTEXT_MOVIE_ID: windows.context,
        **inputs_of_windows(names, windows.columns()),
    }


def main() -> int:
    """Trains what the command line names and writes the result."""
    end_with_parent()
    path = Path(sys.argv[1])
    began = time.monotonic()
    try:
        result = train_and_judge(Spec.from_json(path.read_text(encoding="utf-8")), path.parent)
    except PocketRecError as error:
        print(f"error: {error}", flush=True)
        return 2
    result["seconds"] = time.monotonic() - began
    write_text(path.with_name(RESULT), json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
