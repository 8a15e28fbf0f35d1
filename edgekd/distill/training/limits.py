"""The business rule of a training: an epoch that misses a limit on validation rows is never kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgekd.config.distillation import Checkpoint
from edgekd.distill.diagnosis.stop import Gate, check_gates
from edgekd.distill.learner import Learner, Targets
from edgekd.distill.lists import NO_EXAMPLE
from edgekd.distill.logs.training_events import EpochSummary
from edgekd.distill.training.plan import TrainingPlan
from edgekd.errors import ConfigError, unknown_name

KEY = "distillation.checkpoint"


def list_limits(setting: Checkpoint | None) -> tuple[Gate, ...]:
    """Return what a project asks of an epoch; the figures are read as points."""
    if setting is None:
        return ()
    least = (Gate(name, ">=", value, "point") for name, value in setting.at_least.items())
    return (*least, *(Gate(name, "<=", value, "point") for name, value in setting.at_most.items()))


def check_limits(limits: Sequence[Gate], learner: Learner, targets: Targets) -> None:
    """Refuse limits on figures that validation rows with these targets do not give.

    Raises:
        ConfigError: naming the figure, and those that there are.
    """
    outputs = np.zeros((len(targets), len(learner.outputs)), np.float32)
    if learner.list_size is not None:
        outputs = np.where(targets == NO_EXAMPLE, np.float32(np.nan), np.float32(0))
    known = learner.judge(outputs, targets, outputs)
    for limit in limits:
        if limit.figure not in known:
            raise ConfigError(f"{KEY}: {unknown_name('figure', limit.figure, known)}")


def describe_refusal(plan: TrainingPlan, history: Sequence[Mapping[str, Any]]) -> str:
    """Say that no epoch holds the limits, with what the last one reached."""
    last = EpochSummary.model_validate(history[-1])
    figures = {**last.model_dump(exclude_none=True), **(last.val_figures or {})}
    found = check_gates(figures, plan.limits).evidence
    return (
        f"{plan.student}: no epoch holds {KEY}, so none may be promoted; epoch {last.epoch}: {found}; "
        "train longer, take a larger student, or change the limit"
    )
