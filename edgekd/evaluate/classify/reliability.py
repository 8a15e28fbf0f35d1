"""Whether probabilities mean what they say, slice by slice: what a reliability diagram draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekd.config import Slice
from edgekd.evaluate.arrays import Flags, Labels, Scores
from edgekd.evaluate.classify.calibration import (
    BINS,
    brier_score,
    calibrated_error,
    confident_error_rate,
    equal_mass_calibration_error,
)
from edgekd.evaluate.result import Bin, Reliability

LEAST = 50
"""Rows of a slice from which on an error of its probabilities says something."""


def measure_reliability(
    probabilities: Scores,
    truth: Labels,
    labels: Sequence[str],
    slices: Sequence[Slice],
    masks: Mapping[str, Flags],
    traffic: Flags | None = None,
) -> tuple[Reliability, ...]:
    """Measure each slice of at least `LEAST` rows, in bins of equal mass.

    A slice of classes takes the rows that were *answered* with one of them: whether a probability of 0.9 is
    right nine times in ten is asked of what is said, not of what is true. So where its predicate holds for
    nothing but those classes, all rows are looked at. Only rows drawn as `traffic` comes count: extra rows of
    a class make its answers right more often than a probability can know.
    """
    found = []
    for entry in slices:
        rows = calibration_rows(entry, probabilities, truth, labels, masks[entry.name], traffic)
        if rows.sum() >= LEAST:
            found.append(_of_rows(entry.name, probabilities[rows], truth[rows]))
    return tuple(found)


def calibration_rows(
    entry: Slice,
    probabilities: Scores,
    truth: Labels,
    labels: Sequence[str],
    mask: Flags,
    traffic: Flags | None,
) -> Flags:
    """Return the rows on which a slice's calibration is measured; see `measure_reliability`."""
    rows = mask
    if entry.classes:
        classes = [list(labels).index(name) for name in entry.classes]
        of_truth = bool(np.isin(truth[rows], classes).all())
        rows = np.isin(probabilities.argmax(axis=1), classes) & (rows | of_truth)
    return rows if traffic is None else rows & traffic


def _of_rows(name: str, probabilities: Scores, truth: Labels) -> Reliability:
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    order = np.argsort(top, kind="stable")
    bins = [
        Bin(len(part), int(right[part].sum()), round(float(top[part].mean()), 6))
        for part in np.array_split(order, min(BINS, len(order)))
    ]
    return Reliability(
        name=name,
        n=len(truth),
        ece=round(equal_mass_calibration_error(probabilities, truth), 6),
        ece_if_calibrated=round(calibrated_error(probabilities), 6),
        bins=tuple(bins),
        brier=round(brier_score(probabilities, truth), 6),
        confident_error_rate=confident_error_rate(probabilities, truth),
    )
