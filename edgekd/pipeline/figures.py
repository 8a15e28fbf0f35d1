"""The figures that a project's gates ask for, of one variant."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edgekd.data.age import ages_in_days
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.classify.routing import RoutingResult
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.verdicts import people_figures
from edgekd.gate.figures import asked_figures
from edgekd.pipeline.context import Context
from edgekd.pipeline.routing import find_saving
from edgekd.pipeline.trial import Trial
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval

_LEVEL = 0.9  # two-sided: each end is a one-sided bound at 95 %
_AGES = {"data_age_p50_days": 0.5, "data_age_p95_days": 0.95}


def find_ages(context: Context, train: TaskData) -> dict[str, Interval]:
    """Return those of the figures with a limit that are of the training rows, of which every one counts.

    Raises:
        DataError: the column of dates is missing, or holds something else.
    """
    asked = [name for name in asked_figures(context.project.gates) if name in _AGES]
    column = context.project.data.columns.date
    if not asked or column is None:
        return {}
    ages = ages_in_days(train, column, datetime.now(UTC).date())
    found = {name: float(np.quantile(ages, _AGES[name], method="inverted_cdf")) for name in asked}
    return {name: Interval(age, age, age, _LEVEL) for name, age in found.items()}


def find_cost(
    context: Context, routing: RoutingResult | None, student_per_1k: float | None
) -> dict[str, Interval]:
    """Return the share of the teacher's cost that is saved, where a limit asks for it and it can be known."""
    setting, rate = context.project.routing, _fallback(routing)
    if "cost_reduction" not in asked_figures(context.project.gates):
        return {}
    if setting is None or student_per_1k is None or rate is None:
        return {}
    return {"cost_reduction": find_saving(setting, rate, student_per_1k)}


def find_people(context: Context) -> dict[str, Interval]:
    """Return the figures with a limit of what people said.

    Raises:
        DataError: a file of people's verdicts is not as it should be.
    """
    gates = context.project.gates
    files: dict[str, Path] = {name: context.folder / path for name, path in gates.verdicts.items()}
    return people_figures(files, asked_figures(gates))


def derive_figures(
    trial: Trial, answers: Predictions, temperature: float, routing: RoutingResult | None
) -> dict[str, Interval]:
    """Return those of the figures with a limit that follow from answers alone."""
    scorer, rows, asked = trial.scorer, trial.rows, asked_figures(trial.gates)
    found: dict[str, Interval] = {}
    if "teacher_preference_match" in asked:
        taught = scorer.serve(trial.references["teacher"])
        alike = scorer.agreement(scorer.serve(answers), taught)[rows.masks["overall"]]
        found["teacher_preference_match"] = wilson_interval(int(alike.sum()), len(alike), _LEVEL)
    found |= scorer.figures(asked, rows, answers, temperature)
    if "fallback_rate" in asked and (rate := _fallback(routing)):
        found["fallback_rate"] = rate
    return found


def _fallback(routing: RoutingResult | None) -> Interval | None:
    overall = routing.slice_named("overall") if routing else None
    if overall is None or overall.fallback is None:
        return None
    return wilson_interval(round(overall.fallback.estimate * overall.quality.n), overall.quality.n, _LEVEL)
