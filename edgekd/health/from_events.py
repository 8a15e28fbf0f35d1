"""Figures of health from logs of events: the newest of each kind and slice, beside the one before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from edgekd.distill.diagnosis.score import best_epoch, promotion_score, promotion_terms
from edgekd.distill.logs.event import Event
from edgekd.distill.logs.live_events import (
    CalibrationEval,
    FactSlice,
    FreshnessSlice,
    ReviewHealth,
    RouterHealth,
    ShadowCompare,
)
from edgekd.distill.logs.training_events import CapacityAnalysis, EpochSummary
from edgekd.health.figure import WHOLE, Figure, Group
from edgekd.stats.proportion import wilson_interval

_TRAINING = "training log"


def figures_from_events(events: Iterable[Event]) -> list[Figure]:
    """Return the figures of events in any order; the newest counts, and the one before is its `before`."""
    ordered = sorted(events, key=lambda event: event.time)
    found: dict[tuple[str, str], Figure] = {}
    for event in ordered:
        for figure in _read(event):
            key = (figure.name, figure.slice)
            was = found.get(key)
            found[key] = replace(figure, before=None if was is None else was.value)
    return list(found.values())


def _read(event: Event) -> Iterator[Figure]:
    if isinstance(event, ShadowCompare):
        of = ("shadow_compare", event.slice, event.n)
        yield from _rate("quality", "teacher_preference_match", event.teacher_preference_match, of)
        yield from _rate("quality", "human_win_rate", event.student_win_rate, of)
        yield from _rate("safety", "escalation_recall", event.policy_escalation_recall, (*of[:2], None))
    elif isinstance(event, CalibrationEval):
        of = (f"calibration_eval, {event.split}", WHOLE, event.n)
        yield from _rate("quality", "accuracy", event.accuracy, of)
        yield from _rate("safety", "confident_error_rate", event.confident_error_rate, of)
        yield _plain("training", "ece", event.ece, of)
        yield _plain("training", "brier", event.brier_score, of)
    elif isinstance(event, RouterHealth):
        of = ("router_health", WHOLE, event.n)
        yield from _rate("traffic", "fallback_rate", event.teacher_fallback_rate, of)
        if event.student_ece is not None:
            yield _plain("training", "ece", event.student_ece, of)
        if event.teacher_daily_cost_usd is not None:
            yield _plain("traffic", "teacher_daily_cost_usd", event.teacher_daily_cost_usd, of)
    elif isinstance(event, FactSlice) and event.filter is None:
        of = ("distill_eval_slice", event.slice, event.n)
        yield from _rate("quality", "hallucination_rate", event.student_fact_error_rate, of)
    elif isinstance(event, FreshnessSlice):
        of = ("freshness_slice_eval", event.slice, event.n)
        yield from _rate("quality", "grounded_rate", event.student_grounded_rate, of)
        for name in ("dataset_age_days_p50", "dataset_age_days_p95"):
            age = getattr(event, name)
            if age is not None:
                yield _plain("data", f"data_age_{name[-3:]}_days", age, of)
    elif isinstance(event, ReviewHealth):
        of = ("review_pipeline_health", WHOLE, event.n)
        yield _plain("data", "review_backlog", event.backlog, of)
        if event.median_review_delay_days is not None:
            yield _plain("data", "review_delay_days", event.median_review_delay_days, of)
    elif isinstance(event, CapacityAnalysis) and event.rare_query_recall is not None:
        of = ("student_capacity_analysis", event.student, None)
        yield from _rate("training", "rare_query_recall", event.rare_query_recall, of)


def figures_from_training(events: Iterable[Event]) -> Iterator[Figure]:
    """Return what a student's training log says of the epoch whose weights were kept, on validation rows."""
    epochs = [event for event in events if isinstance(event, EpochSummary)]
    number = best_epoch(epochs)
    kept = [epoch for epoch in epochs if epoch.epoch == number]
    if not kept:
        return
    best = kept[-1]
    of = (f"{_TRAINING}, validation rows", WHOLE, best.val_rows)
    score = best.chosen_value if best.chosen_by is not None else promotion_score(promotion_terms(best))
    if score is not None:
        yield _plain("quality", "best_checkpoint_score", score, of)
    yield from _rate("quality", "teacher_preference_match", best.teacher_preference_match, of)
    yield from _rate("quality", "hallucination_rate", best.hallucination_rate, of)
    yield from _rate("safety", "escalation_recall", best.safety_recall, (*of[:2], None))
    for name, value in (
        ("ece", best.calibration_ece),
        ("kd_loss", best.train_kd_kl_t2),
        ("hard_loss", best.train_hard_ce),
    ):
        if value is not None:
            yield _plain("training", name, value, of)


def _rate(group: Group, name: str, value: float | None, of: tuple[str, str, int | None]) -> Iterator[Figure]:
    """Return a share with Wilson's interval where the number of rows is known."""
    if value is None:
        return
    source, slice_, n = of
    if n:
        found = wilson_interval(round(value * n), n)
        yield Figure(group, name, slice_, value, found.low, found.high, source, None, n)
    else:
        yield Figure(group, name, slice_, value, value, value, source, None, n)


def _plain(group: Group, name: str, value: float, of: tuple[str, str, int | None]) -> Figure:
    source, slice_, n = of
    return Figure(group, name, slice_, value, value, value, source, None, n)
