"""How teacher and student do on each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from edgekd.distill.logs.training_events import ClassSliceEval

Classes = Int[np.ndarray, " row"]


def class_slices(
    epoch: int,
    answers: Classes,
    teacher: Classes,
    classes: Classes,
    labels: Sequence[str],
    soft_weight: float | Float[np.ndarray, " label"],
) -> tuple[ClassSliceEval, ...]:
    """Judge every class that has validation rows.

    All are indices of classes in the order of the same rows. `soft_weight` is alpha, of all classes or each.
    """
    count = len(labels)
    alpha = np.broadcast_to(np.asarray(soft_weight, dtype=np.float64), count)
    support = np.bincount(classes, minlength=count)
    given = np.bincount(answers, minlength=count)
    right = np.bincount(classes[answers == classes], minlength=count)
    taught = np.bincount(classes[teacher == classes], minlength=count)
    return tuple(
        ClassSliceEval(
            epoch=epoch,
            class_name=labels[i],
            support=int(support[i]),
            teacher_recall=float(taught[i] / support[i]),
            student_recall=float(right[i] / support[i]),
            student_precision=float(right[i] / given[i]) if given[i] else None,
            hard_label_weight=1 - float(alpha[i]),
            soft_label_weight=float(alpha[i]),
        )
        for i in map(int, np.flatnonzero(support))
    )
