"""Which rows a slice judges, by which metric, and what counts as right there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgekd.config import Slice
from edgekd.errors import SliceError, unknown_name
from edgekd.evaluate.arrays import Classes, Flags, Hits, Labels

Metric = Literal["accuracy", "recall", "precision", "false_alarm"]
Sampling = Literal["all", "traffic", "weighted"]


@dataclass(frozen=True, eq=False)
class SliceRows:
    """The rows that a slice judges by one metric; limits are shares.

    A slice of several classes has one of these per class, and one for all of them where it judges them
    together. `classes` is None for accuracy. For precision, which rows are judged depends on the answers:
    `rows` are those that may be.

    Attributes:
        name: the slice's name, with ":" and the class where a slice has several.
        sampling: whether `rows` are all of the slice's, those drawn as traffic comes, or all of them with
            each counted by how its class was sampled.
    """

    slice: Slice
    name: str
    metric: Metric
    rows: Flags
    classes: Classes | None
    margin: float | None
    at_least: float | None = None
    at_most: float | None = None
    sampling: Sampling = "all"

    @property
    def is_paired(self) -> bool:
        """Whether two models are judged on the same rows, so that a drop is a mean over pairs."""
        return self.metric != "precision"

    @property
    def floor(self) -> float | None:
        """The least share of hits that is asked for: of false alarms, one less their limit."""
        return self.at_least if self.at_most is None else 1 - self.at_most

    def hits(self, predicted: Labels, truth: Labels) -> Hits:
        """Say for each of the slice's rows whether the answer is right.

        Right is: the true label (accuracy), one of the classes (recall), none of them (false alarms).
        """
        if self.classes is None:
            return np.asarray(predicted[self.rows] == truth[self.rows])
        called = np.isin(predicted[self.rows], self.classes)
        return np.asarray(~called if self.metric == "false_alarm" else called)

    def called_hits(self, predicted: Labels, truth: Labels) -> tuple[Flags, Hits]:
        """Return the rows that were called one of the classes, and whether each truly is; for precision."""
        assert self.classes is not None
        called = self.rows & np.isin(predicted, self.classes)
        return called, np.asarray(np.isin(truth[called], self.classes))


def select_rows(
    slices: Sequence[Slice],
    masks: Mapping[str, Flags],
    truth: Labels,
    labels: Sequence[str],
    traffic: Flags | None = None,
) -> tuple[SliceRows, ...]:
    """Find the rows of every slice, in order; a slice of several classes gives several entries.

    `traffic` marks the rows drawn as traffic comes: false alarms are counted on those alone.

    Raises:
        SliceError: if a slice has no mask, a mask of another length, or an unknown class.
    """
    return tuple(rows for entry in slices for rows in _select(entry, masks, truth, labels, traffic))


def traffic_weights(truth: Labels, traffic: Flags) -> npt.NDArray[np.float64]:
    """Weigh each row [row] so that every class counts as much as it does in traffic.

    A class with extra rows has all its rows count by the share that are traffic (post-stratification by
    class); where a class was sampled as traffic comes, each row weighs 1.
    """
    classes = int(truth.max()) + 1
    of_traffic = np.bincount(truth[traffic], minlength=classes)
    return np.asarray((of_traffic / np.maximum(1, np.bincount(truth, minlength=classes)))[truth])


def _select(
    entry: Slice, masks: Mapping[str, Flags], truth: Labels, labels: Sequence[str], traffic: Flags | None
) -> Iterator[SliceRows]:
    if entry.name not in masks:
        raise SliceError(unknown_name("slice", entry.name, masks))
    mask = masks[entry.name]
    if mask.shape != truth.shape or mask.dtype != np.bool_:
        raise SliceError(
            f"slice '{entry.name}': expected {len(truth)} booleans, got {mask.dtype} of {list(mask.shape)}"
        )
    for name in entry.classes:
        if name not in labels:
            kind = f"{entry.metric}_of"
            raise SliceError(f"slice '{entry.name}': {kind}: {unknown_name('class', name, labels)}")
    places = np.array([list(labels).index(name) for name in entry.classes])
    margin, at_least, at_most = (
        None if limit is None else limit / 100 for limit in (entry.margin, entry.at_least, entry.at_most)
    )
    sampling: Sampling = "all"
    if entry.metric == "accuracy":
        yield SliceRows(entry, entry.name, "accuracy", mask, None, margin, at_least)
        return
    if entry.metric == "false_alarm":
        rows = mask & ~np.isin(truth, places)
        if traffic is not None:
            rows, sampling = rows & traffic, "traffic"
        yield SliceRows(entry, entry.name, "false_alarm", rows, places, margin, None, at_most, sampling)
        return
    if entry.metric == "precision" and traffic is not None:
        sampling = "weighted"
    if entry.together:
        rows = mask & np.isin(truth, places) if entry.metric == "recall" else mask
        yield SliceRows(entry, entry.name, entry.metric, rows, places, margin, at_least, None, sampling)
    floor = at_least if entry.class_at_least is None else entry.class_at_least / 100
    for name, place in zip(entry.classes, places, strict=True):
        rows = mask & (truth == place) if entry.metric == "recall" else mask
        full = entry.name if len(entry.classes) == 1 else f"{entry.name}:{name}"
        own = np.array([place])
        yield SliceRows(entry, full, entry.metric, rows, own, margin, floor, None, sampling)
