"""What teachers leave to a student: as much of it as the settings learn from."""

from __future__ import annotations

from modules.models.recommender import Recommender
from modules.training.data import TrainingData
from modules.training.halves import TeacherHalves, hot_movies, joined, teacher_halves
from modules.training.input import Windows
from modules.training.teacher import Teacher, ensemble, teacher_contexts
from pipeline.config.training import TrainingConfig


class Lessons:
    """Gathers from one teacher after the other; no model is kept."""

    def __init__(self, training: TrainingConfig, data: TrainingData) -> None:
        """Begins without any teacher.

        Args:
            training: The student's.
            data: The student's.
        """
        self._training = training
        self._movies = data.movies
        self._scores: list[Teacher] = []
        self._halves: list[TeacherHalves] = []

    @property
    def teacher(self) -> Teacher | None:
        """What scores or contexts are learned from; None where none are."""
        return ensemble(self._scores) if self._scores else None

    @property
    def halves(self) -> TeacherHalves | None:
        """What is learned of halves of histories; None where nothing is."""
        return joined(self._halves) if self._halves else None

    def add(self, model: Recommender, windows: Windows) -> list[str]:
        """Takes what a teacher knows.

        Args:
            model: The teacher, trained.
            windows: The student's training windows, with the columns that the teacher reads.

        Returns:
            What was taken, for the user.
        """
        said = []
        xla = self._training.xla
        if self._training.learns_scores or self._training.matching is not None:
            taught = teacher_contexts(model, windows, xla=xla)
            self._scores.append(taught)
            count, width = taught.contexts.shape
            said.append(
                f"its vectors of {count:,} targets are {taught.contexts.nbytes / 1e6:.0f} MB, "
                f"{width} numbers each"
            )
        section = self._training.recombination
        if section is not None:
            hot = hot_movies(self._movies, section.hot_share)
            halves = teacher_halves(model, windows, hot, xla=xla)
            self._halves.append(halves)
            said.append(
                f"its vectors of popular ({hot:,} movies) and other events of {len(halves.hot):,} "
                f"windows are {(halves.hot.nbytes + halves.cold.nbytes) / 1e6:.0f} MB"
            )
        return said
