"""A teacher's scores are the same in the space of a student, as far as the width goes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from modules.training.teacher import Teacher
from modules.training.teacher_space import TeacherSpace, teacher_space

MOVIES, WIDTH = 30, 6
COUNTS = np.concatenate([[0], np.arange(MOVIES, 0, -1)]).astype(np.int64)


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    random = np.random.default_rng(2)
    table = random.normal(size=(MOVIES + 1, WIDTH)) * [3, 2, 1, 0.5, 0.2, 0.1]
    table[0] = 0
    contexts = random.normal(size=(200, WIDTH)) @ random.normal(size=(WIDTH, WIDTH))
    return Teacher(contexts.astype(np.float16), table.astype(np.float32))


def centred(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A softmax sees no number that all scores of a context share."""
    centre: npt.NDArray[np.float64] = scores - scores.mean(axis=1, keepdims=True)
    return centre


def scores_of(teacher: Teacher | TeacherSpace) -> npt.NDArray[np.float64]:
    table = teacher.table if isinstance(teacher, Teacher) else teacher.rows
    return teacher.contexts.astype(np.float64) @ table[1:].T.astype(np.float64)


@pytest.mark.parametrize(("width", "parts"), [(6, 1), (6, 3), (8, 1), (8, 4)])
def test_a_space_as_wide_as_the_teacher_keeps_its_scores(
    teacher: Teacher, width: int, parts: int
) -> None:
    space = teacher_space(teacher, width, counts=COUNTS, parts=parts)
    assert space.rows.shape == (MOVIES + 1, width)
    before, after = centred(scores_of(teacher)), centred(scores_of(space))
    np.testing.assert_allclose(after, before, atol=0.01 * np.abs(before).max())
    assert space.kept == pytest.approx(1)
    np.testing.assert_array_equal(space.rows[0], 0)


def test_a_narrow_space_keeps_what_it_says(teacher: Teacher) -> None:
    space = teacher_space(teacher, 2, counts=COUNTS)
    share = np.sqrt(COUNTS[1:]) / np.sqrt(COUNTS[1:]).sum()
    wanted = scores_of(teacher)
    wanted = wanted - (wanted @ share)[:, None]
    missing = wanted - scores_of(space)
    lost = float((np.square(missing) @ share).sum() / (np.square(wanted) @ share).sum())
    assert 1 - lost == pytest.approx(space.kept, abs=1e-3)
    assert 0.5 < space.kept < 1


def test_rows_have_a_length_near_one_and_importance_sums_up(teacher: Teacher) -> None:
    space = teacher_space(teacher, 4, counts=COUNTS)
    assert np.mean(np.square(space.rows[1:]).sum(axis=1)) == pytest.approx(1, rel=1e-5)
    assert space.importance.sum() == pytest.approx(1)
    assert (np.diff(space.importance) <= 0).all()


def test_parts_share_what_counts(teacher: Teacher) -> None:
    space = teacher_space(teacher, 6, counts=COUNTS, parts=2)
    spread = np.log(space.rows[1:].var(axis=0)).reshape(2, 3).sum(axis=1)
    whole = np.log(teacher_space(teacher, 6, counts=COUNTS).rows[1:].var(axis=0))
    undealt = whole.reshape(2, 3).sum(axis=1)
    assert abs(np.diff(spread)[0]) < 0.6 * abs(np.diff(undealt)[0])


def test_the_same_twice(teacher: Teacher) -> None:
    one, other = (teacher_space(teacher, 4, counts=COUNTS) for _ in range(2))
    for left, right in zip(one[:3], other[:3], strict=True):
        np.testing.assert_array_equal(np.asarray(left), np.asarray(right))
