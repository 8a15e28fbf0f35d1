"""Which rows count more, and which classes are learnt in another way: what a project asks for, as numbers.

Teachers and students share all but what needs a teacher: `alpha_of`, `origin`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgekd.config import Distillation, Emphasis, Origin
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
        penalty: Weight of that penalty.
    """

    weights: npt.NDArray[np.float32] | None = None
    reviewed: npt.NDArray[np.bool_] | None = None
    times: int = 1
    alphas: tuple[float, ...] = ()
    rare: tuple[int, ...] = ()
    penalty: float = 0.0


def emphasize_rows(train: TaskData, emphasis: Emphasis, key: str) -> Weighing:
    """Turn what counts more into numbers, for the train split; `key` is the settings' place in the project.

    Raises:
        ConfigError: if a class is named that is not there, or no row is to be shown more often.
        SliceError: if the predicate of reviewed rows is not one.
    """
    _check_classes(emphasis.rare_classes, train, f"{key}.rare_classes")
    weights = None
    if emphasis.class_weights != "equal":
        counts = np.bincount(train.classes, minlength=len(train.labels))
        by = inverse_frequency(counts)
        if emphasis.class_weights == "effective":
            by = effective_number(counts, _BETA)
        weights = weigh_by_class(by, train.classes)
    reviewed, times = None, 1
    if emphasis.reviewed is not None:
        where, times = emphasis.reviewed.where, emphasis.reviewed.times
        reviewed = select_rows(train, where, f"{key}.reviewed")
        if not reviewed.any():
            raise ConfigError(
                f"{key}.reviewed: where matches no training row: {where!r}; change it or remove it"
            )
    rare = tuple(train.labels.index(name) for name in emphasis.rare_classes)
    return Weighing(weights, reviewed, times, (), rare, emphasis.rare_penalty)


def weigh_rows(train: TaskData, unlabelled: int, distillation: Distillation) -> Weighing:
    """Say how a student's rows are treated: those of the train split, then `unlabelled` rows after it.

    Raises:
        ConfigError: if a class or column is named that is not there, or no row is to be shown more often.
        DataError: if a row's origin has no weight.
        SliceError: if the predicate of reviewed rows is not one.
    """
    _check_classes(distillation.alpha_of, train, "distillation.alpha_of")
    weighing = emphasize_rows(train, distillation, "distillation")
    weights, reviewed, made = weighing.weights, weighing.reviewed, 1.0
    if distillation.origin is not None:
        origin = _by_origin(train, distillation.origin)
        weights = origin if weights is None else origin * weights
        made = distillation.origin.weights.get(_MADE, 1.0)
    if weights is not None:
        weights = np.concatenate([weights, np.full(unlabelled, made, np.float32)])
    if reviewed is not None:
        reviewed = np.concatenate([reviewed, np.zeros(unlabelled, np.bool_)])
    alphas = [distillation.alpha_of.get(label, distillation.alpha) for label in train.labels]
    soft = tuple(alphas) if distillation.alpha_of else ()
    return replace(weighing, weights=weights, reviewed=reviewed, alphas=soft)


def _check_classes(names: Iterable[str], train: TaskData, key: str) -> None:
    for name in names:
        if name not in train.labels:
            raise ConfigError(f"{key}: {unknown_name('class', name, train.labels)}")


def _by_origin(train: TaskData, origin: Origin) -> npt.NDArray[np.float32]:
    if origin.column not in train.table.column_names:
        known = ", ".join(train.table.column_names)
        raise ConfigError(f"distillation.origin: there is no column '{origin.column}'; the rows have {known}")
    values = [_MADE if value is None else str(value) for value in train.table[origin.column].to_pylist()]
    return weigh_by_origin(values, {_MADE: 1.0, **origin.weights})
