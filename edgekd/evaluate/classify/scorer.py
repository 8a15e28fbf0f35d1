"""Quality where answers are classes: hits, recall, precision, calibration of the probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekd.errors import DataError
from edgekd.evaluate.arrays import Hits, Labels, Weights
from edgekd.evaluate.classify.calibration import calibration_intervals, measure_calibration
from edgekd.evaluate.classify.classes import find_confusions, judge_classes
from edgekd.evaluate.classify.reliability import calibration_rows, measure_reliability
from edgekd.evaluate.classify.slices import ClassRows, select_rows, traffic_weights
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.scorer import Detail, JudgedRows
from edgekd.stats.interval import Interval

_LEVEL = 0.9  # two-sided: each end is a one-sided bound at 95 %
_CALIBRATION = ("ece", "brier", "confident_error_rate")


class ClassScorer:
    """Scores answers that are indices of classes."""

    is_softened = True

    def check(self, predictions: Predictions, rows: JudgedRows, whose: str) -> None:
        """Refuse logits or classes that do not fit one another."""
        truth = rows.truth
        if truth.ndim != 1 or not np.issubdtype(truth.dtype, np.integer):
            raise DataError(
                f"truth: expected one label index a row, got {truth.dtype} of {list(truth.shape)}"
            )
        expected = (len(truth), len(rows.outputs))
        if predictions.outputs.shape != expected:
            raise DataError(
                f"predictions of {whose}: expected {expected[0]} rows of {expected[1]} labels, "
                f"got shape {list(predictions.outputs.shape)}"
            )
        if truth.min() < 0 or truth.max() >= len(rows.outputs):
            raise DataError(
                f"truth: a label index must be 0 to {len(rows.outputs) - 1}, "
                f"got {truth.min()} to {truth.max()}"
            )

    def serve(self, predictions: Predictions) -> Labels:
        """Return the index of the label that is answered [row]."""
        return predictions.labels

    def baselines(self, rows: JudgedRows) -> Mapping[str, Labels]:
        """Return nothing: a text comes without a label."""
        return {}

    def select(self, rows: JudgedRows) -> tuple[ClassRows, ...]:
        """Find the rows of every slice, and of every class that one names."""
        return select_rows(rows.slices, rows.masks, rows.truth, rows.outputs, rows.traffic)

    def weigh(self, rows: JudgedRows) -> Weights | None:
        """Weigh each row by how its class was sampled."""
        return None if rows.traffic is None else traffic_weights(rows.truth, rows.traffic)

    def agreement(self, served: Labels, taught: Labels) -> Hits:
        """Say for each row whether it gets the label that the teacher gives it."""
        return np.asarray(served == taught)

    def describe(
        self, rows: JudgedRows, predictions: Predictions, taught: Labels | None, temperature: float
    ) -> Detail:
        """Return calibration, reliability, every class on its own, and what is taken for what."""
        truth, traffic = rows.truth, rows.traffic
        table = predictions.probabilities(temperature)
        drawn = np.ones(len(truth), np.bool_) if traffic is None else traffic
        return Detail(
            calibration=measure_calibration(table[drawn], truth[drawn]),
            reliability=measure_reliability(table, truth, rows.outputs, rows.slices, rows.masks, traffic),
            classes=judge_classes(predictions.labels, taught, truth, rows.outputs, traffic),
            confusions=find_confusions(predictions.labels, truth, rows.outputs),
        )

    def figures(
        self, asked: Sequence[str], rows: JudgedRows, predictions: Predictions, temperature: float
    ) -> dict[str, Interval]:
        """Return errors of the probabilities, on the rows drawn as traffic comes; by name and slice."""
        found: dict[str, Interval] = {}
        table, truth = predictions.probabilities(temperature), rows.truth
        for entry in rows.slices:
            names = [f"{figure}:{entry.name}" for figure in _CALIBRATION]
            names += _CALIBRATION if entry.name == "overall" else ()
            wanted = [name for name in names if name in asked]
            if not wanted:
                continue
            mask = rows.masks[entry.name]
            taken = calibration_rows(entry, table, truth, rows.outputs, mask, rows.traffic)
            if taken.any():
                known = calibration_intervals(table[taken], truth[taken], confidence=_LEVEL)
                found |= {name: known[name.partition(":")[0]] for name in wanted}
        return found


CLASS_SCORER = ClassScorer()
