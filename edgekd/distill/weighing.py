"""How much each training row counts, and how often it is shown: what a project asks for, as numbers.

Teachers and students are told alike; a student's rows may also count by where their target comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.config import Ambiguous, Distillation, Emphasis, Origin, Slice
from edgekd.data.slices import select_rows, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.distill.examples import Weighing
from edgekd.distill.labels.stored import StoredOutputs
from edgekd.distill.losses import weigh_by_origin
from edgekd.errors import ConfigError, unknown_name

_CHUNK = 1 << 16  # rows whose outputs are in memory at once
_MADE = "teacher"  # origin of a row whose target is the teacher's


def weigh_rows(
    train: TaskData,
    emphasis: Emphasis,
    key: str,
    *,
    by_target: npt.NDArray[np.float32] | None = None,
    unlabelled: int = 0,
) -> Weighing:
    """Say how the rows of the train split count, and then `unlabelled` rows after it.

    Args:
        train: The train split.
        emphasis: What the project asks for; with an origin where it is a student's `Distillation`.
        key: The settings' place in the project, for messages.
        by_target: Weight of each train row by its target, as the learner says.
        unlabelled: Rows after the train split that a teacher alone speaks of.

    Raises:
        ConfigError: if a column is named that is not there, or no row is to be shown more often.
        DataError: if a row's origin has no weight.
        SliceError: if the predicate of reviewed rows is not one.
    """
    weights, made = by_target, 1.0
    reviewed, times = None, 1
    if emphasis.reviewed is not None:
        where, times = emphasis.reviewed.where, emphasis.reviewed.times
        reviewed = select_rows(train, where, f"{key}.reviewed")
        if not reviewed.any():
            raise ConfigError(
                f"{key}.reviewed: where matches no training row: {where!r}; change it or remove it"
            )
        reviewed = np.concatenate([reviewed, np.zeros(unlabelled, np.bool_)])
    if isinstance(emphasis, Distillation) and emphasis.origin is not None:
        origin = _by_origin(train, emphasis.origin)
        weights = origin if weights is None else origin * weights
        made = emphasis.origin.weights.get(_MADE, 1.0)
    if weights is not None:
        weights = np.concatenate([weights, np.full(unlabelled, made, np.float32)])
    return Weighing(weights, reviewed, times)


def bound_soft(
    weighing: Weighing, train: TaskData, slices: Sequence[Slice], alphas: Mapping[str, float], unlabelled: int
) -> Weighing:
    """Bound the weight of the teacher in the rows of some slices, by the slice's name; the lowest one counts.

    A slice of classes holds the rows of these classes. `unlabelled` rows follow the train split: they have
    nothing but the teacher.

    Raises:
        ConfigError: if a slice is named that is not there, or that holds no row to learn from.
    """
    bounds = np.ones(len(train), np.float32)
    known = {entry.name: entry for entry in slices}
    for name, alpha in alphas.items():
        if name not in known:
            raise ConfigError(f"distillation.alpha_of_slice: {unknown_name('slice', name, known)}")
        rows = slice_masks(train, [known[name]])[name]
        if known[name].classes:
            rows = rows & np.isin(train.targets, [train.outputs.index(one) for one in known[name].classes])
        if not rows.any():
            raise ConfigError(f"distillation.alpha_of_slice: '{name}' holds no training row; remove it")
        bounds[rows] = np.minimum(bounds[rows], np.float32(alpha))
    return replace(weighing, soft_at_most=np.concatenate([bounds, np.ones(unlabelled, np.float32)]))


def weigh_ambiguous(
    weighing: Weighing,
    setting: Ambiguous,
    taught: npt.NDArray[np.floating[Any]] | StoredOutputs,
    train: TaskData,
) -> Weighing:
    """Let rows count more whose teacher hesitates between two classes, and rows that a predicate names.

    `taught` are the teacher's logits [row, class] of all rows to learn from, the train split's first.

    Raises:
        SliceError: if the predicate is not one.
    """
    is_ambiguous = np.zeros(len(taught), np.bool_)
    for start in range(0, len(taught), _CHUNK):
        outputs = taught[start : start + _CHUNK].astype(np.float64)
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        two = np.sort(powers / powers.sum(axis=1, keepdims=True), axis=1)[:, -2:]
        is_ambiguous[start : start + _CHUNK] = two[:, -1] - two[:, 0] < setting.margin
    if setting.where is not None:
        is_ambiguous[: len(train)] |= select_rows(train, setting.where, "distillation.ambiguous")
    factors = np.where(is_ambiguous, np.float32(setting.weight), np.float32(1))
    return replace(weighing, weights=factors if weighing.weights is None else weighing.weights * factors)


def _by_origin(train: TaskData, origin: Origin) -> npt.NDArray[np.float32]:
    if origin.column not in train.table.column_names:
        known = ", ".join(train.table.column_names)
        raise ConfigError(f"distillation.origin: there is no column '{origin.column}'; the rows have {known}")
    values = [_MADE if value is None else str(value) for value in train.table[origin.column].to_pylist()]
    return weigh_by_origin(values, {_MADE: 1.0, **origin.weights})
