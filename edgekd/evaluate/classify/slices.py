"""Slices where answers are classes: which rows one judges, by which metric, and what counts as right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekd.config import Slice
from edgekd.errors import SliceError, unknown_name
from edgekd.evaluate.arrays import Classes, Flags, Hits, Labels, Weights
from edgekd.evaluate.slice_rows import Sampling, SliceRows


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassRows(SliceRows):
    """Rows of a slice by accuracy (`classes` is None), or by recall, precision or false alarms of classes.

    A slice of several classes has one of these per class, and one for all of them where it judges them
    together. For precision, which rows are judged depends on the answers: `rows` are those that may be.
    """

    classes: Classes | None = None

    @property
    def is_paired(self) -> bool:
        """Whether two models are judged on the same rows, so that a drop is a mean over pairs."""
        return self.metric != "precision"

    @property
    def are_hits(self) -> bool:
        """An answer is right or wrong."""
        return True

    def expected_rows(self, truth: Labels, traffic: Flags | None) -> int:
        """Count the rows that are judged if every answer is right; for precision those of its classes."""
        if self.metric != "precision":
            return int(self.rows.sum())
        assert self.classes is not None
        called = self.rows & np.isin(truth, self.classes)
        return int((called if traffic is None else called & traffic).sum())

    @property
    def is_better_smaller(self) -> bool:
        """Whether it is the share of false alarms, whose hits are the rows that raise none."""
        return self.metric == "false_alarm"

    def values(self, served: Labels, truth: Labels) -> Hits:
        """Say for each of the slice's rows whether the answer is right.

        Right is: the true label (accuracy), one of the classes (recall), none of them (false alarms).
        """
        if self.classes is None:
            return np.asarray(served[self.rows] == truth[self.rows])
        called = np.isin(served[self.rows], self.classes)
        return np.asarray(~called if self.metric == "false_alarm" else called)

    def judged(self, served: Labels, truth: Labels) -> tuple[Flags, Hits]:
        """Return which rows are judged, and whether each is right.

        For precision they are the rows that were called one of the classes; right is each that truly is.
        """
        if self.metric != "precision":
            return self.rows, self.values(served, truth)
        assert self.classes is not None
        called = self.rows & np.isin(served, self.classes)
        return called, np.asarray(np.isin(truth[called], self.classes))


def select_rows(
    slices: Sequence[Slice],
    masks: Mapping[str, Flags],
    truth: Labels,
    labels: Sequence[str],
    traffic: Flags | None = None,
) -> tuple[ClassRows, ...]:
    """Find the rows of every slice, in order; a slice of several classes gives several entries.

    `traffic` marks the rows drawn as traffic comes: false alarms are counted on those alone.

    Raises:
        SliceError: if a slice has no mask, a mask of another length, or an unknown class.
    """
    return tuple(rows for entry in slices for rows in _select(entry, masks, truth, labels, traffic))


def traffic_weights(truth: Labels, traffic: Flags) -> Weights:
    """Weigh each row [row] so that every class counts as much as it does in traffic.

    A class with extra rows has all its rows count by the share that are traffic (post-stratification by
    class); where a class was sampled as traffic comes, each row weighs 1.
    """
    classes = int(truth.max()) + 1
    of_traffic = np.bincount(truth[traffic], minlength=classes)
    return np.asarray((of_traffic / np.maximum(1, np.bincount(truth, minlength=classes)))[truth])


def _select(
    entry: Slice, masks: Mapping[str, Flags], truth: Labels, labels: Sequence[str], traffic: Flags | None
) -> Iterator[ClassRows]:
    if entry.name not in masks:
        raise SliceError(unknown_name("slice", entry.name, masks))
    mask = masks[entry.name]
    if mask.shape != truth.shape or mask.dtype != np.bool_:
        raise SliceError(
            f"slice '{entry.name}': expected {len(truth)} booleans, got {mask.dtype} of {list(mask.shape)}"
        )
    for name in entry.classes:
        if name not in labels:
            kind = f"{entry.of_classes}_of"
            raise SliceError(f"slice '{entry.name}': {kind}: {unknown_name('class', name, labels)}")
    metric = entry.of_classes or entry.metric or "accuracy"
    if entry.metric not in (None, "accuracy"):
        raise SliceError(f"slice '{entry.name}': {unknown_name('metric', entry.metric, ('accuracy',))}")
    places = np.array([list(labels).index(name) for name in entry.classes])
    margin, at_least, at_most = (
        None if limit is None else limit / 100 for limit in (entry.margin, entry.at_least, entry.at_most)
    )

    def rows_of(
        name: str, rows: Flags, classes: Classes | None, floor: float | None, sampling: Sampling
    ) -> ClassRows:
        of = "together" if entry.together else ""
        return ClassRows(
            slice=entry,
            name=name,
            of=labels[classes[0]] if classes is not None and len(classes) == 1 else of,
            metric=metric,
            rows=rows,
            margin=margin,
            at_least=floor,
            at_most=at_most,
            sampling=sampling,
            classes=classes,
        )

    sampling: Sampling = "all"
    if metric == "accuracy":
        yield rows_of(entry.name, mask, None, at_least, "all")
        return
    if metric == "false_alarm":
        rows = mask & ~np.isin(truth, places)
        if traffic is not None:
            rows, sampling = rows & traffic, "traffic"
        yield rows_of(entry.name, rows, places, None, sampling)
        return
    if metric == "precision" and traffic is not None:
        sampling = "weighted"
    if entry.together:
        rows = mask & np.isin(truth, places) if metric == "recall" else mask
        yield rows_of(entry.name, rows, places, at_least, sampling)
    floor = at_least if entry.class_at_least is None else entry.class_at_least / 100
    for name, place in zip(entry.classes, places, strict=True):
        rows = mask & (truth == place) if metric == "recall" else mask
        full = entry.name if len(entry.classes) == 1 else f"{entry.name}:{name}"
        yield rows_of(full, rows, np.array([place]), floor, sampling)
