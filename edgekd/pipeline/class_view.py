"""Turn what was judged of each class, and the bias for floors, into what the report shows."""

from __future__ import annotations

import numpy as np

from edgekd.data.slices import select_traffic
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.classify.bias import BiasFit
from edgekd.gate.evidence import VariantEvidence
from edgekd.report.classes import BiasNote, ClassRow, ConfusionRow


def count_classes(train: TaskData) -> dict[str, int]:
    """Count the rows of each class in a split."""
    counts = np.bincount(train.classes, minlength=len(train.outputs))
    return {label: int(count) for label, count in zip(train.outputs, counts, strict=True)}


def class_rows(evidence: VariantEvidence, train: dict[str, int]) -> tuple[ClassRow, ...]:
    """Return every class as it is served: of the routed system where there is one."""
    result = evidence.routing or evidence.evaluation
    return tuple(
        ClassRow(
            found.name,
            train.get(found.name, 0),
            found.n,
            found.recall,
            found.precision,
            found.teacher_recall,
            found.teacher_precision,
        )
        for found in (result.classes if result else ())
    )


def confusion_rows(evidence: VariantEvidence) -> tuple[ConfusionRow, ...]:
    """Return what each class is taken for, most rows first."""
    result = evidence.routing or evidence.evaluation
    return tuple(
        ConfusionRow(found.truth, found.answer, found.n) for found in (result.confusions if result else ())
    )


def bias_note(fit: BiasFit | None) -> BiasNote | None:
    """Return what the bias adds and costs; None where none was fitted in this run."""
    if fit is None:
        return None
    return BiasNote(
        added=tuple(fit.bias.items()),
        accuracy_before=fit.accuracy_before,
        accuracy_after=fit.accuracy_after,
        unmet=fit.unmet,
        thin=tuple(fit.thin.items()),
    )


def describe_counting(sample: str | None, test: TaskData) -> str:
    """Say which test rows precision, false alarms and calibration are counted on."""
    total = len(test)
    traffic = select_traffic(test, sample)
    if traffic is None:
        return (
            f"All {total:,} test rows count as traffic (data.sample is not set): precision, false alarms and "
            "calibration are counted on every row of a slice."
        )
    return (
        f"{int(traffic.sum()):,} of {total:,} test rows are drawn as traffic comes (data.sample: "
        f"{sample}). False alarms and calibration are counted on those rows alone. Precision "
        "counts the extra rows too, each weighted by how its class was sampled, so that a class weighs as "
        "much as in traffic. Recall, accuracy and drops count every row of their slice once."
    )
