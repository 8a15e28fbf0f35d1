"""The rows that a slice judges by one metric, and the value of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from edgekd.config import Slice
from edgekd.evaluate.arrays import Flags, Served, Truth, Values
from edgekd.evaluate.result import Above

Sampling = Literal["all", "traffic", "weighted"]


@dataclass(frozen=True, eq=False, kw_only=True)
class SliceRows(ABC):
    """Rows of a slice by one metric; limits are shares. Each task has kinds of its own.

    A slice can give several of these, such as one for each of its classes.

    Attributes:
        name: the slice's name, with ":" and what it is of where a slice has several.
        of: what it is of, such as a class; empty where that is the whole slice.
        metric: its name in every table.
        rows: those that may be judged.
        sampling: whether `rows` are all of the slice's, those drawn as traffic comes, or all of them with
            each counted by how it was sampled.
        above: baselines that the value must exceed.
        left_out: how many rows of the slice are not judged, as every answer to them is as good.
    """

    slice: Slice
    name: str
    of: str = ""
    metric: str
    rows: Flags
    margin: float | None
    at_least: float | None = None
    at_most: float | None = None
    sampling: Sampling = "all"
    above: tuple[Above, ...] = ()
    left_out: int = 0

    @property
    def is_paired(self) -> bool:
        """Whether two models are judged on the same rows, so that a drop is a mean over pairs."""
        return True

    @property
    def floor(self) -> float | None:
        """The least mean value that is asked for; where smaller is better, one less the limit."""
        return self.at_least if self.at_most is None else 1 - self.at_most

    @property
    def is_better_smaller(self) -> bool:
        """Whether the metric is one less the mean of `values`, such as a share of false alarms."""
        return False

    @property
    def are_hits(self) -> bool:
        """Whether values are hits; else they are numbers from 0 to 1."""
        return False

    def expected_rows(self, truth: Truth, traffic: Flags | None) -> int:
        """Count the rows that are judged if every answer is right."""
        return int(self.rows.sum())

    @abstractmethod
    def values(self, served: Served, truth: Truth) -> Values:
        """Say how good each answer is, 0 to 1, of the slice's rows: hits, or numbers.

        `served` and `truth` are of all rows of the split, in the same order.
        """

    def judged(self, served: Served, truth: Truth) -> tuple[Flags, Values]:
        """Return which rows of the split are judged, given these answers, and the value of each."""
        return self.rows, self.values(served, truth)
