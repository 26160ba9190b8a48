"""How many epochs a warm start saves: recall by epoch, from new weights and from an earlier span's.

    .venv/bin/python -m benchmarks.warm_start --dataset ml-1m --share 0.8

The release is cut by time: the first share of the ratings is the earlier span. A model learns from
it alone; then two learn from all ratings, one from new weights, one from those. Events are held out
as in the pipeline (a user's last two), so the earlier model saw nothing of what the others are
judged by. Recall@10 is that of the eval split, the second last event of each user.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tabulate import tabulate

from benchmarks.results import write_result
from pipeline.datasets.resolve import resolve_dataset
from pipeline.workspace import DEFAULT_WORKSPACE, Workspace

LENGTH = 50
MODEL = {
    "encoder": {"name": "cnn", "layers": 3, "kernel": 3},
    "dim": 64,
    "scoring": "cosine",
}


def split(timelines: Any, before: int | None) -> tuple[Any, Any, npt.NDArray[np.int64]]:
    """Makes windows of the last training events, and held-out ones, of all users with five events.

    Args:
        timelines: Of a release.
        before: Only events before this second count; None takes all.

    Returns:
        Training windows, held-out windows, and the movies of the vocabulary, by falling count.
    """
    from modules.training.input import Windows

    users = []
    for start, end in zip(timelines.offsets[:-1], timelines.offsets[1:], strict=True):
        # Times never fall within a user.
        upto = timelines.timestamps[start:end]
        events = len(upto) if before is None else int(np.searchsorted(upto, before))
        if events >= 5:
            users.append(timelines.movie_ids[start : start + events])
    movies, counts = np.unique(np.concatenate([user[:-2] for user in users]), return_counts=True)
    vocabulary = movies[np.argsort(-counts, kind="stable")]
    ids = np.zeros(timelines.movie_ids.max() + 1, np.int32)
    ids[vocabulary] = np.arange(1, len(vocabulary) + 1)

    shape = (len(users), LENGTH)
    context, target = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    judged, wanted = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    seen = []
    for row, user in enumerate(users):
        known = ids[user]
        learned = known[:-2][-LENGTH - 1 :]
        context[row, -len(learned) + 1 :] = learned[:-1]
        target[row, -len(learned) + 1 :] = learned[1:]
        last = known[:-2][-LENGTH:]
        judged[row, -len(last) :] = last
        wanted[row, -1] = known[-2]
        seen.append(known[:-2])
    splits = np.concatenate([[0], np.cumsum([len(some) for some in seen])])
    nothing = np.zeros(0, np.int32), np.zeros(len(users) + 1, np.int64)
    return (
        Windows(context, target, *nothing),
        Windows(judged, wanted, np.concatenate(seen), splits),
        vocabulary,
    )


def measure(release: Path, share: float, epochs: int, seed: int) -> dict[str, Any]:
    """Trains the three models.

    Args:
        release: Folder or zip of a MovieLens release.
        share: Of the ratings, that the earlier span holds.
        epochs: Of each training.
        seed: Of weights, order and dropout.
    """
    from components.movielens_example_gen.timelines import load_timelines
    from modules.training.data import RunSettings, TrainingData
    from modules.training.run import train_recommender
    from modules.training.warm_start import Origin, Rows, WarmStart, load_weights, save_weights
    from pipeline.config.history import HistoryConfig
    from pipeline.config.model import ModelConfig
    from pipeline.config.training import TrainingConfig, WarmStartConfig

    timelines = load_timelines(release, 5, 5)
    cut = int(np.quantile(timelines.timestamps, share))
    model = ModelConfig.model_validate(MODEL)
    history = HistoryConfig(length=LENGTH, stride=LENGTH)
    training = TrainingConfig.model_validate(
        {"max_epochs": epochs, "patience": epochs, "optimizer": {"learning_rate": 0.002}}
    )
    settings = RunSettings(model, training, history, seed, "benchmark")

    with tempfile.TemporaryDirectory(prefix="pocketrec-warm-") as scratch:

        def train(name: str, windows: tuple[Any, Any, Any], start: WarmStart | None) -> Any:
            data = TrainingData(windows[0], windows[1], len(windows[2]))
            root = Path(scratch, name)
            return train_recommender(
                settings, data, checkpoint_root=root, log_folder=root / "logs", start=start
            )

        earlier, everything = split(timelines, cut), split(timelines, None)
        base = train("earlier", earlier, None)
        folder = str(Path(scratch, "weights"))
        rows = Rows(earlier[2].astype(np.int64))
        save_weights(folder, base.model, Origin(model, history, {}, 1), rows)
        start = WarmStart(
            load_weights(folder),
            WarmStartConfig(),
            Origin(model, history, {}, 2),
            Rows(everything[2].astype(np.int64)),
        )
        cold, warm = train("cold", everything, None), train("warm", everything, start)
    by_epoch = [[row["recall_at_10"] for row in run.history] for run in (cold, warm)]
    best = max(by_epoch[0])
    reached = next((n for n, recall in enumerate(by_epoch[1], 1) if recall >= best), None)
    return {
        "share": share,
        "seed": seed,
        "users": [len(earlier[0]), len(everything[0])],
        "movies": [len(earlier[2]), len(everything[2])],
        "cold_best": round(best, 4),
        "cold_best_epoch": by_epoch[0].index(best) + 1,
        "warm_best": round(max(by_epoch[1]), 4),
        "warm_reaches_cold_best_at": reached,
        "rows": [
            {"epoch": epoch, "new weights": round(one, 4), "warm start": round(two, 4)}
            for epoch, (one, two) in enumerate(zip(*by_epoch, strict=True), 1)
        ],
    }


def main() -> None:
    """Measures, prints and writes `results/warm_start.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", default="ml-1m")
    parser.add_argument("--share", type=float, default=0.8)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workspace", type=Path, default=DEFAULT_WORKSPACE)
    arguments = parser.parse_args()
    release = resolve_dataset(arguments.dataset, Workspace.at(arguments.workspace))
    result = measure(release, arguments.share, arguments.epochs, arguments.seed)
    result = {"dataset": Path(arguments.dataset).name, **result}
    print(tabulate(result["rows"], headers="keys"))
    write_result("warm_start", result)


if __name__ == "__main__":
    main()
