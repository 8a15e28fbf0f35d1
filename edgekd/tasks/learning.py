"""How the models of a task learn: which learner a teacher, a student and a plain comparison get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edgekd.config import Distillation, Emphasis
from edgekd.distill.learner import Learner


class Learning(Protocol):
    """Makes the learners of a task from a project's settings; `outputs` name what its models put out."""

    def plain(self, outputs: Sequence[str]) -> Learner:
        """Learn from targets alone, all rows alike."""

    def from_rows(self, outputs: Sequence[str], emphasis: Emphasis, key: str) -> Learner:
        """Learn from targets, as a teacher does; `key` is the settings' place in the project.

        Raises:
            ConfigError: a setting is not of this task, or names what no model of it puts out.
        """

    def as_taught(
        self, outputs: Sequence[str], distillation: Distillation, critical: Sequence[str] = ()
    ) -> Learner:
        """Learn from targets and the teacher's outputs, as a student does.

        `critical` name what slices of tier `prove` are of: a checkpoint is chosen by it, too.

        Raises:
            ConfigError: as of `from_rows`.
        """


class ClassLearning:
    """Where answers are classes."""

    def plain(self, outputs: Sequence[str]) -> Learner:
        """Learn classes from targets alone."""
        from edgekd.distill.learners.classify import Classify

        return Classify(tuple(outputs))

    def from_rows(self, outputs: Sequence[str], emphasis: Emphasis, key: str) -> Learner:
        """Learn classes as a teacher does."""
        from edgekd.distill.learners.classify import classify_rows

        return classify_rows(tuple(outputs), emphasis, key)

    def as_taught(
        self, outputs: Sequence[str], distillation: Distillation, critical: Sequence[str] = ()
    ) -> Learner:
        """Learn classes as a student does."""
        from edgekd.distill.learners.classify import classify_as_taught

        places = tuple(sorted(list(outputs).index(name) for name in critical))
        return classify_as_taught(tuple(outputs), distillation, places)


class ScoreLearning:
    """Where answers are numbers from 0 to 1."""

    def plain(self, outputs: Sequence[str]) -> Learner:
        """Learn numbers from targets alone."""
        from edgekd.distill.learners.score import Score

        return Score()

    def from_rows(self, outputs: Sequence[str], emphasis: Emphasis, key: str) -> Learner:
        """Learn numbers as a teacher does."""
        from edgekd.distill.learners.score import score_rows

        return score_rows(emphasis, key)

    def as_taught(
        self, outputs: Sequence[str], distillation: Distillation, critical: Sequence[str] = ()
    ) -> Learner:
        """Learn numbers as a student does; nothing is critical."""
        from edgekd.distill.learners.score import score_as_taught

        return score_as_taught(distillation)


class RankLearning:
    """Where answers are orders of candidates."""

    def plain(self, outputs: Sequence[str]) -> Learner:
        """Learn orders from grades alone."""
        from edgekd.distill.learners.rank import Rank

        return Rank()

    def from_rows(self, outputs: Sequence[str], emphasis: Emphasis, key: str) -> Learner:
        """Learn orders as a teacher does."""
        from edgekd.distill.learners.rank import rank_rows

        return rank_rows(emphasis, key)

    def as_taught(
        self, outputs: Sequence[str], distillation: Distillation, critical: Sequence[str] = ()
    ) -> Learner:
        """Learn orders as a student does; nothing is critical."""
        from edgekd.distill.learners.rank import rank_as_taught

        return rank_as_taught(distillation)
