"""What a task says of quality: what is answered, the value of each row, and what else is known of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgekd.config import Slice
from edgekd.errors import SliceError, unknown_name
from edgekd.evaluate.arrays import Flags, Hits, Served, Truth, Weights
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.result import Calibration, ClassResult, Confusion, Figure, Reliability
from edgekd.evaluate.slice_rows import SliceRows
from edgekd.stats.interval import Interval


@dataclass(frozen=True, eq=False)
class JudgedRows:
    """The rows of one split and what they are judged by; arrays are in the order of the same rows.

    Attributes:
        truth: what is right for each.
        outputs: names of what a model puts out, as the classes.
        masks: which rows are in each slice, by its name.
        traffic: the rows drawn as traffic comes; None where all are.
    """

    truth: Truth
    outputs: Sequence[str]
    slices: Sequence[Slice]
    masks: Mapping[str, Flags]
    traffic: Flags | None = None


@dataclass(frozen=True)
class Detail:
    """What is known of answers beside values per slice, where the task has a meaning for it."""

    calibration: Calibration | None = None
    reliability: tuple[Reliability, ...] = ()
    classes: tuple[ClassResult, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    figures: tuple[Figure, ...] = ()


class Scorer(Protocol):
    """Turns a model's outputs into answers, and answers into values per row."""

    @property
    def is_softened(self) -> bool:
        """Whether outputs are logits that a temperature, fitted on calibration rows, is to divide."""

    def check(self, predictions: Predictions, rows: JudgedRows, whose: str) -> None:
        """Refuse outputs or targets that do not fit one another; `whose` names the model.

        Raises:
            DataError: before anything is computed.
        """

    def serve(self, predictions: Predictions) -> Served:
        """Return what is answered to each row [row]."""

    def baselines(self, rows: JudgedRows) -> Mapping[str, Served]:
        """Return the answers that come with the rows, without any model, by name; they are judged beside it.

        Most tasks have none.
        """

    def select(self, rows: JudgedRows) -> tuple[SliceRows, ...]:
        """Find the rows of every slice, in order.

        Raises:
            SliceError: a slice has no mask, or asks for what this task does not know.
        """

    def weigh(self, rows: JudgedRows) -> Weights | None:
        """Weigh each row [row] so that the split counts as traffic does; None where all rows count alike."""

    def agreement(self, served: Served, taught: Served) -> Hits:
        """Say for each row whether an answer is as good as the teacher's own."""

    def describe(
        self, rows: JudgedRows, predictions: Predictions, taught: Served | None, temperature: float
    ) -> Detail:
        """Say what else is known of answers; `temperature` is the artifact's own."""

    def figures(
        self, asked: Sequence[str], rows: JudgedRows, predictions: Predictions, temperature: float
    ) -> dict[str, Interval]:
        """Return those of the figures asked for that follow from these answers, by name."""


def find_baselines(scorer: Scorer, rows: JudgedRows) -> Mapping[str, Served]:
    """Return the answers that come with the rows, once it is clear that slices ask for no others.

    Raises:
        SliceError: a slice is to exceed a baseline that the task does not have.
    """
    found = scorer.baselines(rows)
    for entry in rows.slices:
        for name in entry.above or ():
            if name not in found:
                reason = unknown_name("baseline", name, found) if found else "this task has no baseline"
                raise SliceError(f"slice '{entry.name}': above: {reason}")
    return found
