"""Longer windows for training than a device sends.

A causal encoder that reads windows of 200 events trains as many targets as one that reads four
times as many windows of 50, without forgetting at every border, and the model can still be asked
with 50. Transform's windows are those of the device. Joined, those of a user are its timeline
again, which is cut anew.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modules.features import PADDING_ID
from modules.training.input import Windows


def joined(windows: Windows, owner: npt.NDArray[np.int64], *, stride: int, length: int) -> Windows:
    """Joins each user's training windows and cuts them to another length, from the end.

    Args:
        windows: Training windows in the order of user and time, padded on the left.
        owner: int64 [windows], the user of each.
        stride: Events between the ends of two windows; each window's last `stride` are its own.
        length: Events of the new windows.

    Returns:
        Windows of `length`, each of the events and targets once. Windows without any target are
        left out.
    """
    columns = np.arange(windows.context.shape[1])
    first = np.concatenate([[True], owner[1:] != owner[:-1]])
    # What comes before a window's own events belongs to the window before.
    own = (columns >= len(columns) - stride) | first[:, np.newaxis]
    own &= windows.context != PADDING_ID
    # A user is the run of windows from one `first` to the next.
    events = np.add.reduceat(own.sum(axis=1), np.flatnonzero(first))
    source, filled, of_user = _cuts(events, length)

    def cut(values: npt.NDArray[Any] | None) -> npt.NDArray[Any] | None:
        if values is None:
            return None
        return np.where(filled, values[own][source], np.zeros(1, values.dtype))

    context, target = cut(windows.context), cut(windows.target)
    assert context is not None
    assert target is not None
    time = None
    if windows.time is not None:
        after = windows.time[:, 1:][own][source[:, -1:]]
        time = np.concatenate([np.asarray(cut(windows.time[:, :-1])), after], axis=1)
    whole = Windows(
        context,
        target,
        windows.seen[:0],
        np.zeros(len(context) + 1, np.int64),
        cut(windows.rating),
        cut(windows.target_rating),
        time,
        None if windows.user is None else windows.user[first][of_user],
    )
    return _rows(whole, (target != PADDING_ID).any(axis=1))


def _cuts(
    events: npt.NDArray[np.int64], length: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Cuts runs of events into windows, from each run's end.

    Args:
        events: int64 [users], events of each run; they stand one after the other.
        length: Events of a window.

    Returns:
        Which event stands at each position, int64 [windows, length] (any event where there is
        none), whether there is one, bool [windows, length], and each window's user, int64
        [windows].
    """
    counts = -(-events // length)
    of_user = np.repeat(np.arange(len(events)), counts)
    # Windows of a user that come after this one.
    later = np.cumsum(counts)[of_user] - 1 - np.arange(len(of_user))
    stop = np.cumsum(events)[of_user] - later * length
    source = stop[:, np.newaxis] - length + np.arange(length)
    start = (np.cumsum(events) - events)[of_user, np.newaxis]
    return np.maximum(source, start), source >= start, of_user


def _rows(windows: Windows, kept: npt.NDArray[np.bool_]) -> Windows:
    """Keeps some training windows."""

    def rows(part: npt.NDArray[Any] | None) -> npt.NDArray[Any] | None:
        return None if part is None else part[kept]

    return Windows(
        windows.context[kept],
        windows.target[kept],
        windows.seen,
        windows.seen_splits[: int(kept.sum()) + 1],
        rows(windows.rating),
        rows(windows.target_rating),
        rows(windows.time),
        rows(windows.user),
    )
