"""Which rows count more, and which classes are learnt in another way: what a project asks for, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.config import Distillation, Origin
from edgekd.data.slices import select_rows
from edgekd.data.taskdata import TaskData
from edgekd.distill.losses import effective_number, inverse_frequency, weigh_by_class, weigh_by_origin
from edgekd.errors import ConfigError, unknown_name

_BETA = 0.999  # of the effective number; Cui et al. try 0.9 to 0.9999
_MADE = "teacher"  # origin of a row whose label is the teacher's


@dataclass(frozen=True)
class Weighing:
    """How rows and classes are treated; arrays are of the training rows, then of those without a label.

    Attributes:
        weights: Of each row, None where all are alike.
        reviewed: Rows shown `times` times an epoch, None where there are none.
        times: How often.
        alphas: Weight of the soft loss a class; empty where all are alike.
        rare: Classes under the penalty.
    """

    weights: npt.NDArray[np.float32] | None
    reviewed: npt.NDArray[np.bool_] | None
    times: int
    alphas: tuple[float, ...]
    rare: tuple[int, ...]


def weigh_rows(train: TaskData, unlabelled: int, distillation: Distillation) -> Weighing:
    """Turn what the project asks for into numbers, for the train split and `unlabelled` rows after it.

    Raises:
        ConfigError: if a class or column is named that is not there.
        DataError: if a row's origin has no weight.
        SliceError: if the predicate of reviewed rows is not one.
    """
    for key, names in (("alpha_of", distillation.alpha_of), ("rare_classes", distillation.rare_classes)):
        for name in names:
            if name not in train.labels:
                raise ConfigError(f"distillation.{key}: {unknown_name('class', name, train.labels)}")
    parts = []
    if distillation.origin is not None:
        parts.append(_by_origin(train, distillation.origin))
    if distillation.class_weights != "equal":
        counts = np.bincount(train.classes, minlength=len(train.labels))
        by = inverse_frequency(counts)
        if distillation.class_weights == "effective":
            by = effective_number(counts, _BETA)
        parts.append(weigh_by_class(by, train.classes))
    made = 1.0 if distillation.origin is None else distillation.origin.weights.get(_MADE, 1.0)
    weights = None
    if parts:
        tail = np.full(unlabelled, made, np.float32)
        weights = np.concatenate([np.prod(parts, axis=0), tail]).astype(np.float32)
    reviewed, times = None, 1
    if distillation.reviewed is not None:
        picked = select_rows(train, distillation.reviewed.where, "distillation.reviewed")
        reviewed = np.concatenate([picked, np.zeros(unlabelled, np.bool_)])
        times = distillation.reviewed.times
    alphas = [distillation.alpha_of.get(label, distillation.alpha) for label in train.labels]
    return Weighing(
        weights,
        reviewed,
        times,
        tuple(alphas) if distillation.alpha_of else (),
        tuple(train.labels.index(name) for name in distillation.rare_classes),
    )


def _by_origin(train: TaskData, origin: Origin) -> npt.NDArray[np.float32]:
    if origin.column not in train.table.column_names:
        known = ", ".join(train.table.column_names)
        raise ConfigError(f"distillation.origin: there is no column '{origin.column}'; the rows have {known}")
    values = [_MADE if value is None else str(value) for value in train.table[origin.column].to_pylist()]
    return weigh_by_origin(values, {_MADE: 1.0, **origin.weights})
