"""Would a training have gone the same way if other classes were critical? Told from its log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from edgekd.distill.diagnosis.score import best_epoch
from edgekd.distill.diagnosis.stop import ends_training
from edgekd.distill.logs.events import read_events
from edgekd.distill.logs.training_events import ClassSliceEval, EpochSummary
from edgekd.errors import DataError


def has_same_course(log: Path, classes: Collection[str], planned: int) -> bool:
    """Tell whether the same epochs would be best so far, and the same one the last, of so many planned.

    The log holds every class's recall after each epoch; a log without it, or a damaged one, tells nothing.
    """
    try:
        events = read_events(log)
    except DataError:
        return False
    epochs = [event for event in events if isinstance(event, EpochSummary)]
    recalls = [event for event in events if isinstance(event, ClassSliceEval)]
    if not recalls or len({epoch.epoch for epoch in epochs}) != len(epochs):
        return False
    others = [
        epoch.model_copy(update={"safety_recall": _recall(recalls, epoch.epoch, classes)}) for epoch in epochs
    ]
    return _course(epochs, planned) == _course(others, planned)


def _course(epochs: Sequence[EpochSummary], planned: int) -> list[tuple[bool, bool]]:
    """Say of each epoch whether it was the best so far, and whether training ended there."""
    so_far = [epochs[: number + 1] for number in range(len(epochs))]
    return [(best_epoch(seen) == seen[-1].epoch, ends_training(seen, planned)) for seen in so_far]


def _recall(recalls: Sequence[ClassSliceEval], epoch: int, classes: Collection[str]) -> float | None:
    """Return the recall of classes taken together after an epoch; None without a row of any of them."""
    found = [one for one in recalls if one.epoch == epoch and one.class_name in classes and one.support]
    rows = sum(one.support for one in found)
    return sum(round(one.student_recall * one.support) for one in found) / rows if rows else None
