"""What an evaluation found, per slice and overall."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from edgekd.errors import unknown_name
from edgekd.evaluate.record import Record
from edgekd.stats.bounded import BoundedMean
from edgekd.stats.interval import Interval
from edgekd.stats.paired import paired_drop_bound, rows_needed
from edgekd.stats.tally import Tally


@dataclass(frozen=True)
class Drop(Record):
    """How much worse than its reference, on the same examples; shares, positive is worse.

    Attributes:
        n: rows that were compared.
        lost: rows on which the candidate is worse; of hits, those that the reference alone has.
        gained: rows on which the candidate is better.
        low: one-sided lower bound at `confidence`.
        high: one-sided upper bound at `confidence`.
        differences: of the rows, reference less candidate, where a row has a value from 0 to 1; None where it
            has a hit or none, as then `lost`, `gained` and `n` say all.
    """

    reference: str
    n: int
    lost: int
    gained: int
    estimate: float
    low: float
    high: float
    confidence: float
    differences: BoundedMean | None = None

    def at(self, confidence: float) -> Drop:
        """Return the same drop with bounds that are one-sided at another confidence, between 0.5 and 1.

        >>> Drop("teacher", 50, 0, 0, 0.0, 0.0, 0.0, 0.95).at(0.99).high
        0.0964...
        """
        if self.differences is None:
            low, high = paired_drop_bound(self.lost, self.gained, self.n, confidence)
        else:
            ends = self.differences.at(confidence)
            low, high = ends.low, ends.high
        return replace(self, low=low, high=high, confidence=confidence)

    def rows_needed(self, margin: float) -> int | None:
        """Return how many more rows like these would show whether the drop is within the margin.

        0 means that these show it, None that no number of rows would; see `edgekd.stats.paired.rows_needed`.
        """
        if self.differences is None:
            return rows_needed(self.lost, self.gained, self.n, margin, self.confidence)
        return self.differences.rows_needed(margin, self.confidence)


@dataclass(frozen=True)
class Above(Record):
    """That a value must exceed a baseline's on the same rows by so much, a share.

    Attributes:
        reference: name of the baseline, an answer that comes with the rows.
        words: what it is, for sentences.
    """

    reference: str
    words: str
    by: float = 0.0


@dataclass(frozen=True)
class SliceResult(Record):
    """One slice by one metric; limits are shares. An empty slice has no value and no drops.

    `value` is the metric's own: for false alarms their share, which is better when smaller. `tally` counts
    what it is a share of: right answers, and for false alarms the rows that raised none. `sampling` says
    which rows were counted; see `edgekd.evaluate.slice_rows.SliceRows`. `reference_values` hold what each
    reference reaches, where values are no hits: else its drop's counts say it. `above` names the baselines
    that the value must exceed, and `left_out` counts the slice's rows on which every answer is as good.
    """

    name: str
    tier: Literal["prove", "watch"]
    metric: str
    margin: float | None
    n: int
    value: Interval | None
    drops: tuple[Drop, ...]
    at_least: float | None = None
    at_most: float | None = None
    tally: Tally | BoundedMean | None = None
    sampling: Literal["all", "traffic", "weighted"] = "all"
    reference_values: Mapping[str, Interval] = field(default_factory=dict)
    above: tuple[Above, ...] = ()
    left_out: int = 0

    @property
    def claims(self) -> int:
        """How many claims of harm can be made of it: of its margin, its floor, and each baseline."""
        return (self.margin is not None) + (self.floor is not None) + len(self.above)

    @property
    def floor(self) -> float | None:
        """The least share of right answers, in the terms of `tally`; None where there is no floor."""
        return self.at_least if self.at_most is None else 1 - self.at_most

    def drop_from(self, reference: str) -> Drop | None:
        """Return the drop against one reference; None where it was not compared."""
        return next((drop for drop in self.drops if drop.reference == reference), None)


@dataclass(frozen=True)
class Figure(Record):
    """A figure of one slice that no gate reads, over `n` of its rows.

    `values` are by whose answers it is of: a reference's or a baseline's name, and empty for the artifact's
    own. They are shares, or else between -1 and 1.
    """

    slice: str
    name: str
    n: int
    values: Mapping[str, Interval]
    is_share: bool = True


@dataclass(frozen=True)
class Calibration(Record):
    """Whether probabilities mean what they say; see `edgekd.evaluate.classify.calibration`."""

    ece: float
    brier: float
    confident_error_rate: float
    n: int


@dataclass(frozen=True)
class Bin(Record):
    """Rows of like top probability: how many, how many of them right, the mean of what was said."""

    n: int
    right: int
    probability: float


@dataclass(frozen=True)
class Reliability(Record):
    """Of one slice, in bins of equal mass; see `edgekd.evaluate.classify.reliability`.

    `ece_if_calibrated` is what a perfectly calibrated model would show on so few rows. The Brier score is
    summed over labels, 0 to 2; a confident error is a wrong answer with a probability of at least 0.9.
    Evidence of earlier versions has neither.
    """

    name: str
    n: int
    ece: float
    ece_if_calibrated: float
    bins: tuple[Bin, ...]
    brier: float | None = None
    confident_error_rate: float | None = None


@dataclass(frozen=True)
class ClassResult(Record):
    """One class: its rows `n`, and recall and precision of the variant and of its teacher."""

    name: str
    n: int
    recall: Interval | None
    precision: Interval | None
    teacher_recall: Interval | None
    teacher_precision: Interval | None


@dataclass(frozen=True)
class Confusion(Record):
    """How many rows of the class `truth` were answered as `answer`; empty where there was no label."""

    truth: str
    answer: str
    n: int


@dataclass(frozen=True)
class EvalResult(Record):
    """Quality of one artifact, named by its digest; `classes` has the one of the lowest recall first."""

    subject: str
    n: int
    slices: tuple[SliceResult, ...]
    calibration: Calibration | None = None
    reliability: tuple[Reliability, ...] = ()
    classes: tuple[ClassResult, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    figures: tuple[Figure, ...] = ()

    def slice_named(self, name: str) -> SliceResult:
        """Return one slice by its name.

        Raises:
            KeyError: with near matches, if there is none.
        """
        for result in self.slices:
            if result.name == name:
                return result
        raise KeyError(unknown_name("slice", name, (result.name for result in self.slices)))

    def worst_drop(self, reference: str = "teacher") -> tuple[SliceResult, Drop] | None:
        """Return the slice with the largest estimated drop, the first of equals."""
        return worst_drop(self.slices, reference)


def worst_drop(slices: Iterable[SliceResult], reference: str) -> tuple[SliceResult, Drop] | None:
    """Return the slice with the largest estimated drop, the first of equals."""
    pairs = [(s, drop) for s in slices if (drop := s.drop_from(reference)) is not None]
    return max(pairs, key=lambda pair: pair[1].estimate, default=None)
