"""Measures an epoch of SASRec on one thread: a plain TensorFlow version against ours.

    .venv/bin/python -m benchmarks.training_speed --dataset ml-1m

Both start from the same weights and make the same updates: the last 200 training events of each
user, full softmax, Adam, 128 windows an update. The plain one pads them to 200, ours cuts them to
the length of their bucket. First both train without dropout, and their losses must agree. Then
each update of an epoch is timed, ours and the plain one's in turns, each in a process of its own
with one thread.

What is measured is processor time of that process: other work on the machine costs caches and
clock, but no turns. Ours includes the time that putting batches together takes, the plain one's
does not.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from tabulate import tabulate

from benchmarks.results import write_result
from pipeline.datasets.resolve import resolve_dataset
from pipeline.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from modules.training.batches import Batch, BatchPlan
    from modules.training.input import Windows

LENGTH, DIM, BATCH = 200, 64, 128
BUCKETS = (16, 32, 64, 100, 150)
SEED = 1
# Updates of equal weights and data drift apart by the order of sums alone.
TOLERANCE = 1e-4

Side = Literal["plain", "ours"]
# Makes the update with a batch's number; returns the mean loss.
Update = Callable[[int], float]


def last_windows(release: Path) -> tuple[Windows, int]:
    """Makes a window of each user's last training events, under leave-last-out.

    Args:
        release: Folder or zip of a MovieLens release.

    Returns:
        The windows, and how many movies the vocabulary has.
    """
    from components.movielens_example_gen.timelines import load_timelines
    from modules.training.input import Windows

    timelines = load_timelines(release, 5, 5)
    starts, ends = timelines.offsets[:-1], timelines.offsets[1:] - 2
    events = np.arange(len(timelines.movie_ids))
    users = np.searchsorted(timelines.offsets, events, side="right") - 1
    trained = events < ends[users]
    movies, counts = np.unique(timelines.movie_ids[trained], return_counts=True)
    by_falling_count = movies[np.argsort(-counts, kind="stable")]
    ids = np.zeros(timelines.movie_ids.max() + 1, np.int32)
    ids[by_falling_count] = np.arange(1, len(movies) + 1)
    context = np.zeros((len(starts), LENGTH), np.int32)
    target = np.zeros_like(context)
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        history = ids[timelines.movie_ids[max(start, end - LENGTH - 1) : end]]
        if len(history) > 1:
            context[row, -len(history) + 1 :] = history[:-1]
            target[row, -len(history) + 1 :] = history[1:]
    nothing_seen = np.zeros(0, np.int32), np.zeros(len(starts) + 1, np.int64)
    return Windows(context, target, *nothing_seen), len(movies)


def padded(batch: Batch) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Returns a batch's windows as they were before they were cut.

    Returns:
        Context and target, int32 [windows, LENGTH] each.
    """
    shards, windows, length = batch.context.movie_id.shape
    target = np.zeros((shards, windows * length), np.int32)
    for shard in range(shards):
        wanted = batch.targets[shard, :, 0]
        count = np.count_nonzero(wanted)
        target[shard, batch.positions[shard, :count]] = wanted[:count]
    left = [(0, 0), (LENGTH - length, 0)]
    context = batch.context.movie_id.reshape(-1, length)
    return np.pad(context, left), np.pad(target.reshape(-1, length), left)


def _serve(side: Side, release: Path, dropout: float, connection: Connection) -> None:
    """Makes the updates whose numbers arrive; answers with processor seconds and loss."""
    import keras
    import tensorflow as tf

    from modules.models.recommender import Recommender
    from modules.training.batches import BatchPlan
    from pipeline.config.model import ModelConfig, TransformerConfig
    from pipeline.config.training import TrainingConfig

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    windows, movies = last_windows(release)
    config = TrainingConfig.model_validate(
        {"batch_size": BATCH, "length_buckets": BUCKETS, "optimizer": {"warmup_steps": 0}}
    )
    keras.utils.set_random_seed(SEED)
    model = Recommender(
        ModelConfig(encoder=TransformerConfig(), dim=DIM, scoring="dot", dropout=dropout),
        history_length=LENGTH,
        movies=movies,
    )
    plan = BatchPlan(windows, config, shards=config.distribution.shards, seed=SEED)
    batches, preparing = _prepared(plan)
    make = _plain if side == "plain" else _ours
    update = make(model, config, batches, dropout)
    connection.send(
        {
            "lengths": [batch.context.movie_id.shape[2] for batch in batches],
            "windows": len(windows),
            "targets": int((windows.target > 0).sum()),
            "movies": movies,
            "preparing_seconds": preparing,
        }
    )
    while (number := connection.recv()) is not None:
        began = time.process_time()
        loss = update(number)
        connection.send((time.process_time() - began, loss))
    connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def _prepared(plan: BatchPlan) -> tuple[list[Batch], float]:
    """Returns the batches of an epoch, and the processor seconds that they took."""
    began = time.process_time()
    batches = list(plan.epoch(0))
    return batches, time.process_time() - began


def _ours(model: Any, config: Any, batches: list[Batch], dropout: float) -> Update:
    from modules.training.distribution import build_distribution
    from modules.training.losses.base import build_loss
    from modules.training.optimizer import build_optimizer
    from modules.training.update import Updater

    del dropout
    loss = build_loss(
        config.loss, movie_counts=np.ones(model.movies + 1, np.int64), score_bound=model.score_bound
    )
    optimizer = build_optimizer(config.optimizer, total_steps=1)
    distribution = build_distribution(config.distribution)
    updater = Updater(model, optimizer, loss, config, distribution, seed=SEED)

    def update(number: int) -> float:
        total, targets = updater(batches[number], number)
        return total / targets

    return update


def _plain(model: Any, config: Any, batches: list[Batch], dropout: float) -> Update:
    from benchmarks.plain_sasrec import PlainSasrec, make_update

    del config
    plain = PlainSasrec(movies=model.movies, length=LENGTH, dim=DIM, dropout=dropout)
    plain(np.zeros((1, LENGTH), np.int32))
    # The layers of both are made in the same order.
    plain.set_weights([weight.numpy() for weight in model.trainable_variables])
    make = make_update(plain)
    return lambda number: float(make(*padded(batches[number])))


@contextlib.contextmanager
def child(side: Side, release: Path, dropout: float) -> Iterator[Connection]:
    """Starts a process that makes updates on one thread; see `_serve`."""
    # Fresh processes: TensorFlow's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(side, release, dropout, theirs), daemon=True)
    process.start()
    # So that its death ends our waiting.
    theirs.close()
    try:
        yield ours
    finally:
        process.terminate()
        process.join()


def ask(connection: Connection, number: int) -> tuple[float, float]:
    """Has an update made; returns its processor seconds and its loss."""
    connection.send(number)
    answer: tuple[float, float] = connection.recv()
    return answer


def in_turns(lengths: list[int], turns: int) -> list[int]:
    """Returns numbers of batches: one of each length a turn, as long as there are any."""
    of_length = {length: np.flatnonzero(np.array(lengths) == length) for length in set(lengths)}
    return [
        int(of_length[length][turn % len(of_length[length])])
        for turn in range(turns)
        for length in sorted(of_length)
    ]


def check_losses(release: Path, turns: int) -> float:
    """Trains both without dropout; returns the largest relative difference of their losses.

    Raises:
        AssertionError: They are not the same model.
    """
    with child("plain", release, 0.0) as plain, child("ours", release, 0.0) as ours:
        plain.recv()
        largest = 0.0
        for number in in_turns(ours.recv()["lengths"], turns):
            wanted, actual = ask(plain, number)[1], ask(ours, number)[1]
            largest = max(largest, abs(actual / wanted - 1))
    if largest > TOLERANCE:
        raise AssertionError(f"losses differ by {largest:.1e}: the two are not the same model")
    return largest


def measure(release: Path) -> dict[str, Any]:
    """Times an epoch of both in turns; see the module."""
    sides: tuple[Side, Side] = ("plain", "ours")
    with child(sides[0], release, 0.1) as plain, child(sides[1], release, 0.1) as ours:
        plain.recv()
        facts = ours.recv()
        lengths = facts.pop("lengths")
        taken: dict[Side, list[float]] = {side: [] for side in sides}
        # The first update of each length compiles.
        for number in in_turns(lengths, turns=1):
            ask(plain, number)
            ask(ours, number)
        for number in range(len(lengths)):
            for side, connection in zip(sides, (plain, ours), strict=True):
                taken[side].append(ask(connection, number)[0])
        peaks = {}
        for side, connection in zip(sides, (plain, ours), strict=True):
            connection.send(None)
            peaks[side] = connection.recv()
    at = np.array(lengths)
    rows = [
        {
            "length": length,
            "updates": lengths.count(length),
            **{
                f"{side}_ms": round(1e3 * float(np.mean(np.array(taken[side])[at == length])))
                for side in sides
            },
        }
        for length in sorted(set(lengths))
    ]
    epoch = {side: sum(taken[side]) for side in sides}
    epoch["ours"] += facts["preparing_seconds"]
    return {
        **{name: fact for name, fact in facts.items() if name != "preparing_seconds"},
        "preparing_seconds": round(facts["preparing_seconds"], 2),
        "rows": rows,
        "plain_epoch_seconds": round(epoch["plain"], 1),
        "ours_epoch_seconds": round(epoch["ours"], 1),
        "ratio": round(epoch["plain"] / epoch["ours"], 2),
        "plain_peak_gib": round(peaks["plain"], 2),
        "ours_peak_gib": round(peaks["ours"], 2),
    }


def main() -> None:
    """Compares losses, measures, prints and writes `results/training_speed.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="ml-1m")
    parser.add_argument("--workspace", default=str(DEFAULT_WORKSPACE))
    arguments = parser.parse_args()
    # Read once, when TensorFlow makes its threads; the children inherit them.
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    release = resolve_dataset(arguments.dataset, Workspace.at(arguments.workspace))
    difference = check_losses(release, turns=2)
    result = {
        **measure(release),
        "largest_loss_difference": float(f"{difference:.1e}"),
    }
    print(tabulate(result["rows"], headers="keys"))
    print({name: value for name, value in result.items() if name != "rows"})
    write_result("training_speed", result)


if __name__ == "__main__":
    main()
