"""How much each training row counts, and how often it is shown: what a project asks for, as numbers.

Teachers and students are told alike; a student's rows may also count by where their target comes from.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgekd.config import Distillation, Emphasis, Origin
from edgekd.data.slices import select_rows
from edgekd.data.taskdata import TaskData
from edgekd.distill.examples import Weighing
from edgekd.distill.losses import weigh_by_origin
from edgekd.errors import ConfigError

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


def _by_origin(train: TaskData, origin: Origin) -> npt.NDArray[np.float32]:
    if origin.column not in train.table.column_names:
        known = ", ".join(train.table.column_names)
        raise ConfigError(f"distillation.origin: there is no column '{origin.column}'; the rows have {known}")
    values = [_MADE if value is None else str(value) for value in train.table[origin.column].to_pylist()]
    return weigh_by_origin(values, {_MADE: 1.0, **origin.weights})
