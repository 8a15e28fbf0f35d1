"""Which rows a slice judges, and what counts as a hit there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekd.config import Slice
from edgekd.errors import SliceError, unknown_name
from edgekd.evaluate.arrays import Classes, Flags, Hits, Labels


@dataclass(frozen=True, eq=False)
class SliceRows:
    """The rows that a slice judges; with `classes`, a hit is any of them."""

    slice: Slice
    rows: Flags
    classes: Classes | None

    @property
    def metric(self) -> Literal["accuracy", "recall"]:
        """Name of the share of hits."""
        return "accuracy" if self.classes is None else "recall"

    def hits(self, predicted: Labels, truth: Labels) -> Hits:
        """Say for each of the slice's rows whether the prediction is a hit.

        Recall is of the classes taken together: mistaking one of them for another is a hit.
        """
        if self.classes is None:
            return np.asarray(predicted[self.rows] == truth[self.rows])
        return np.isin(predicted[self.rows], self.classes)


def select_rows(
    slices: Sequence[Slice], masks: Mapping[str, Flags], truth: Labels, labels: Sequence[str]
) -> tuple[SliceRows, ...]:
    """Find the rows of every slice.

    Raises:
        SliceError: if a slice has no mask, a mask of another length, or an unknown class.
    """
    return tuple(_select(entry, masks, truth, labels) for entry in slices)


def _select(entry: Slice, masks: Mapping[str, Flags], truth: Labels, labels: Sequence[str]) -> SliceRows:
    if entry.name not in masks:
        raise SliceError(unknown_name("slice", entry.name, masks))
    mask = masks[entry.name]
    if mask.shape != truth.shape or mask.dtype != np.bool_:
        raise SliceError(
            f"slice '{entry.name}': expected {len(truth)} booleans, got {mask.dtype} of {list(mask.shape)}"
        )
    if not entry.recall_of:
        return SliceRows(entry, mask, None)
    for name in entry.recall_of:
        if name not in labels:
            raise SliceError(f"slice '{entry.name}': recall_of: {unknown_name('class', name, labels)}")
    classes = np.array([list(labels).index(name) for name in entry.recall_of])
    return SliceRows(entry, mask & np.isin(truth, classes), classes)
