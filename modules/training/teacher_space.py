"""A teacher's scores in the space of its student: what both can be compared in, and begin with.

Scores are products of contexts with rows. Turning both the same way changes no score, and adding
one vector to all rows none that a softmax sees. So a student whose rows are as wide as the space
that scores mostly differ in can take the teacher's rows as its own, and learn to give the teacher's
contexts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modules.training.teacher import Teacher

# Directions count by what popular and rare movies score differently; between one vote a training
# event, which leaves rare movies out, and one a movie.
_POPULARITY_POWER = 0.5

# Contexts that are turned at one time.
_CHUNK = 65_536


class TeacherSpace(NamedTuple):
    """A teacher turned into the space of a student.

    Attributes:
        contexts: float16 [targets, width].
        rows: float32 [movies + 1, width], of lengths near one; row 0 is zero. Their products are
            the teacher's scores, but for what the width leaves out and a number a context.
        importance: float32 [width], how much a direction counts for the scores; sums up to one.
        kept: Share of the scores' variance over movies that the width keeps, at most 1.
    """

    contexts: npt.NDArray[np.float16]
    rows: npt.NDArray[np.float32]
    importance: npt.NDArray[np.float32]
    kept: float


def teacher_space(
    teacher: Teacher, width: int, *, counts: npt.NDArray[np.int64], parts: int = 1
) -> TeacherSpace:
    """Turns a teacher so that the first directions are those that its scores differ in most.

    Args:
        teacher: Its contexts and table.
        width: Of the student's rows. Where it is larger than the teacher's, zeros fill it.
        counts: int64 [movies + 1], training events of each movie.
        parts: That a row will be split into; they divide the width. The directions are dealt so
            that the products of their variances are about the same in each, which loses least in a
            product of codebooks (Ge et al., 2013, parametric solution).
    """
    share = counts[1:].astype(np.float64) ** _POPULARITY_POWER
    share /= share.sum()
    rows = teacher.table[1:].astype(np.float64)
    rows -= share @ rows
    spread = _context_spread(teacher.contexts)
    # In coordinates whose contexts are of one size in all directions, importance is the rows'.
    root = np.linalg.cholesky(spread)
    values, turn = np.linalg.eigh(root.T @ (rows.T * share) @ rows @ root)
    order = np.argsort(-values, kind="stable")
    values, turn = np.maximum(values[order], 0), turn[:, order]
    signs = np.sign(turn[np.abs(turn).argmax(axis=0), np.arange(len(turn))])
    turn = turn * signs
    # Each direction's size is split evenly between contexts and rows.
    even = np.sqrt(np.sqrt(np.maximum(values, values[0] * 1e-9)))
    of_rows, of_contexts = root @ turn / even, np.linalg.solve(root.T, turn) * even
    places = _dealt(values, width, parts)
    kept = min(width, len(values))
    turned = np.zeros((len(rows) + 1, width))
    turned[1:, places] = rows @ of_rows[:, :kept]
    size = np.sqrt(np.mean(np.sum(turned[1:] ** 2, axis=1)))
    importance = np.zeros(width)
    importance[places] = np.einsum("mw,mw,m->w", turned[1:, places], turned[1:, places], share)
    contexts = np.zeros((len(teacher.contexts), width), np.float16)
    to_student = (of_contexts[:, :kept] * size).astype(np.float32)
    for start in range(0, len(contexts), _CHUNK):
        part = slice(start, start + _CHUNK)
        contexts[part, places] = teacher.contexts[part].astype(np.float32) @ to_student
    return TeacherSpace(
        contexts,
        (turned / size).astype(np.float32),
        (importance / importance.sum()).astype(np.float32),
        float(values[:kept].sum() / values.sum()),
    )


def _context_spread(contexts: npt.NDArray[np.float16]) -> npt.NDArray[np.float64]:
    """Returns the contexts' second moments, float64 [width, width], of full rank."""
    width = contexts.shape[1]
    total = np.zeros((width, width))
    for start in range(0, len(contexts), _CHUNK):
        part = contexts[start : start + _CHUNK].astype(np.float32)
        total += part.T @ part
    total /= max(len(contexts), 1)
    return total + np.eye(width) * (np.trace(total) / width * 1e-6)


def _dealt(values: npt.NDArray[np.float64], width: int, parts: int) -> list[int]:
    """Returns where each direction that is kept goes: the largest to the part with least so far."""
    kept = min(width, len(values))
    size = width // parts
    smallest = max(values[kept - 1], values[0] * 1e-9)
    free = [list(range(part * size, (part + 1) * size)) for part in range(parts)]
    held = np.zeros(parts)
    places = []
    for value in values[:kept]:
        part = min((part for part in range(parts) if free[part]), key=lambda part: held[part])
        held[part] += np.log(max(value, smallest) / smallest)
        places.append(free[part].pop(0))
    return places
