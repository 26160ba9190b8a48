"""Which part of each timeline goes to which split.

Every split's example is a prefix of a timeline plus the first position that may be a target, so no
window can reach what comes later. With `n` events, oldest first, and `t` = `targets_per_user`:

| strategy | train | eval | test |
|---|---|---|---|
| `leave_last_out`, n >= 3 | first n - 2 | first n - 1, target: its last | all, target: the last |
| `leave_last_out`, n < 3 | all | none | none |
| `temporal` | before `eval_start` | before `test_start`, targets: from `eval_start`, last t | all,
targets: from `test_start`, last t |
| `by_user` | all of a train user | all of an eval user, targets: last t | all of a test user,
targets: last t |

A part without an event (or, held out, without a target) has no example. In `by_user`, a first event
is never a target: nothing is known of the user before it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from components.movielens_example_gen.columns import Ints, mix
from components.movielens_example_gen.timelines import Timelines
from modules.features import SPLIT_EVAL, SPLIT_TEST, SPLIT_TRAIN
from pipeline.config.data import SplitConfig

_USER_SALT = 1

COARSE_SECONDS = 1 << 16
"""Width of the bins in which times are first counted when a cut is looked for."""


@dataclasses.dataclass(frozen=True)
class Cuts:
    """Where `temporal` divides: seconds since 1970 UTC.

    Attributes:
        eval_start: First second of eval.
        test_start: First second of test.
    """

    eval_start: int
    test_start: int


@dataclasses.dataclass(frozen=True)
class Part:
    """One split of some timelines.

    Attributes:
        users: Indices of the users with an example, ascending, `[examples]`.
        ends: Events of each one's prefix, `[examples]`.
        first_targets: Index of the first event that may be a target, `[examples]`.
        held_out: Whether the targets are kept from training.
    """

    users: Ints
    ends: Ints
    first_targets: Ints
    held_out: bool


def divide(timelines: Timelines, config: SplitConfig, cuts: Cuts | None = None) -> dict[str, Part]:
    """Divides timelines into train, eval and test.

    Args:
        timelines: Of any users; a user's outcome does not depend on the others.
        config: The strategy.
        cuts: For `temporal`.
    """
    lengths = timelines.lengths
    if config.strategy == "leave_last_out":
        enough = lengths >= 3
        train_ends = np.where(enough, lengths - 2, lengths)
        eval_ends = np.where(enough, lengths - 1, 0)
        test_ends = np.where(enough, lengths, 0)
        return _parts(
            train_ends,
            (eval_ends, np.maximum(eval_ends - 1, 0)),
            (test_ends, np.maximum(test_ends - 1, 0)),
        )
    if config.strategy == "temporal":
        if cuts is None:
            raise ValueError("the strategy temporal needs cuts")
        before_eval = _events_before(timelines, cuts.eval_start)
        before_test = _events_before(timelines, cuts.test_start)
        most = config.targets_per_user
        return _parts(
            before_eval,
            (before_test, np.maximum(before_eval, before_test - most)),
            (lengths, np.maximum(before_test, lengths - most)),
        )
    # The 53 highest bits make a number in [0, 1) that a double holds exactly.
    draw = (mix(timelines.user_ids, _USER_SALT) >> np.uint64(11)) * 2.0**-53
    in_test = draw < config.test_share
    in_eval = ~in_test & (draw < config.test_share + config.eval_share)
    first = np.maximum(lengths - config.targets_per_user, 1)
    return _parts(
        np.where(in_test | in_eval, 0, lengths),
        (np.where(in_eval, lengths, 0), first),
        (np.where(in_test, lengths, 0), first),
    )


def _parts(train: Ints, eval_: tuple[Ints, Ints], test: tuple[Ints, Ints]) -> dict[str, Part]:
    users = np.flatnonzero(train > 0)
    parts = {SPLIT_TRAIN: Part(users, train[users], np.zeros_like(users), held_out=False)}
    for name, (ends, first) in ((SPLIT_EVAL, eval_), (SPLIT_TEST, test)):
        users = np.flatnonzero(ends > first)
        parts[name] = Part(users, ends[users], first[users], held_out=True)
    return parts


def _events_before(timelines: Timelines, second: int) -> Ints:
    before = np.concatenate([[0], np.cumsum(timelines.timestamps < second)])
    return before[timelines.offsets[1:]] - before[timelines.offsets[:-1]]


@dataclasses.dataclass(frozen=True)
class Counts:
    """A sparse histogram.

    Attributes:
        keys: `[keys]`, ascending.
        counts: `[keys]`, how often each occurs.
    """

    keys: Ints
    counts: Ints

    @classmethod
    def of(cls, values: Ints) -> Counts:
        """Counts the values, `[n]`."""
        keys, counts = np.unique(values, return_counts=True)
        return cls(keys, counts.astype(np.int64))

    @classmethod
    def merge(cls, parts: Iterable[Counts]) -> Counts:
        """Adds histograms up."""
        listed = [part for part in parts if len(part.keys)]
        if not listed:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))
        keys, where = np.unique(np.concatenate([p.keys for p in listed]), return_inverse=True)
        weights = np.concatenate([p.counts for p in listed])
        counts = np.zeros(len(keys), np.int64)
        np.add.at(counts, where, weights)
        return cls(keys, counts)


def ranks_of(total: int, config: SplitConfig) -> tuple[int, int]:
    """Where, among all events by time, eval and test begin; `total` is at least 1."""
    test = total - round(total * config.test_share)
    eval_ = max(test - round(total * config.eval_share), 0)
    return min(eval_, total - 1), min(test, total - 1)


def bins_of(coarse: Counts, config: SplitConfig) -> Ints:
    """The coarse bins, `[1..2]`, that hold the events at which the cuts lie.

    Args:
        coarse: Of all events' times divided by `COARSE_SECONDS`.
        config: The shares.
    """
    upto = np.cumsum(coarse.counts)
    ranks = ranks_of(int(upto[-1]), config)
    return np.unique(coarse.keys[np.searchsorted(upto, ranks, side="right")])


def find_cuts(coarse: Counts, fine: Counts, config: SplitConfig) -> Cuts:
    """The exact times at which the shares cut; events of that very second go to the later split.

    Args:
        coarse: Of all events' times divided by `COARSE_SECONDS`.
        fine: Of the times themselves, of the events in the bins that `bins_of` names.
        config: The shares.

    Returns:
        The cuts; both are the same second where there are too few different times, and then eval
        is empty.
    """
    upto = np.cumsum(coarse.counts)
    seconds = []
    for rank in ranks_of(int(upto[-1]), config):
        at = int(np.searchsorted(upto, rank, side="right"))
        inside = fine.keys // COARSE_SECONDS == coarse.keys[at]
        left = rank - (int(upto[at - 1]) if at else 0)
        within = np.cumsum(fine.counts[inside])
        seconds.append(int(fine.keys[inside][np.searchsorted(within, left, side="right")]))
    return Cuts(seconds[0], seconds[1])
