"""Events of what is in service: shadow traffic, routing, calibration, facts, ages, review.

Other systems write these, too, with fields of their own, which are left out.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from edgekd.distill.logs.event import Event, Rate


class ShadowCompare(Event):
    """A student beside its teacher on live rows of one slice, answered in the shadow."""

    model_config = ConfigDict(extra="ignore")

    event: Literal["shadow_compare"] = "shadow_compare"
    slice: str
    teacher_preference_match: Rate
    student_win_rate: Rate | None = None
    policy_escalation_recall: Rate | None = None
    baseline_escalation_recall: Rate | None = None
    n: int | None = None


class RouterHealth(Event):
    """How many requests a student answers itself and how many go to the teacher, and what these cost a day.

    `n` is the number of requests behind the rates.
    """

    model_config = ConfigDict(extra="ignore")

    event: Literal["router_health"] = "router_health"
    student_model: str
    student_accept_rate: Rate
    teacher_fallback_rate: Rate
    student_ece: Rate | None = None
    teacher_daily_cost_usd: float | None = Field(None, ge=0)
    planned_teacher_daily_cost_usd: float | None = Field(None, ge=0)
    planned_fallback_rate: Rate | None = None
    n: int | None = Field(None, ge=0)


class CalibrationEval(Event):
    """How far a student's probabilities are shares of right answers, on the rows of a split."""

    model_config = ConfigDict(extra="ignore")

    event: Literal["calibration_eval"] = "calibration_eval"
    split: str
    accuracy: Rate
    ece: Rate
    brier_score: float = Field(ge=0, le=2)
    confident_error_rate: Rate
    student: str | None = None
    n: int | None = Field(None, ge=0)


class FreshnessSlice(Event):
    """One slice of live traffic that training rows may not know yet, such as titles of the last 60 days.

    Grounded rates are shares of answers that are right, or that the evidence supports; `n` is the number of
    rows behind the student's, `share` the slice's share of the traffic. The ages are of the training rows.
    Fields that other systems add are left out.
    """

    model_config = ConfigDict(extra="ignore")

    event: Literal["freshness_slice_eval"] = "freshness_slice_eval"
    slice: str
    teacher_grounded_rate: Rate | None = None
    student_grounded_rate: Rate | None = None
    retrieval_miss_rate: Rate | None = None
    dataset_age_days_p50: float | None = Field(None, ge=0)
    dataset_age_days_p95: float | None = Field(None, ge=0)
    share: Rate | None = None
    n: int | None = Field(None, ge=0)


class FactSlice(Event):
    """Errors of fact of teacher and student over the same `n` rows of one slice, or what a filter leaves.

    With `filter` it tells of targets: the share that is false after the filter of this name, `none` for
    before any. Intervals are at 95 %, lower end first. Other systems write this event, too, with fields of
    their own, which are left out.
    """

    model_config = ConfigDict(extra="ignore")

    event: Literal["distill_eval_slice"] = "distill_eval_slice"
    slice: str
    student: str | None = None
    teacher_fact_error_rate: Rate | None = None
    student_fact_error_rate: Rate | None = None
    teacher_confident_error_rate: Rate | None = None
    copied_teacher_error_overlap: Rate | None = None
    teacher_fact_error_interval: tuple[Rate, Rate] | None = None
    student_fact_error_interval: tuple[Rate, Rate] | None = None
    copied_teacher_error_interval: tuple[Rate, Rate] | None = None
    filter: str | None = None
    contamination: Rate | None = None
    contamination_interval: tuple[Rate, Rate] | None = None
    n: int | None = None


class ReviewHealth(Event):
    """How review keeps up: rows per week, what waits, how raters agree, and how long rows waited in days.

    Other systems write this event, too, with fields of their own, which are left out.
    """

    model_config = ConfigDict(extra="ignore")

    event: Literal["review_pipeline_health"] = "review_pipeline_health"
    weekly_incoming: float = Field(ge=0)
    weekly_reviewed: float = Field(ge=0)
    backlog: float = Field(ge=0)
    inter_annotator_agreement: float | None = Field(None, ge=-1, le=1)
    agreement_interval: tuple[float, float] | None = None
    agreement_metric: str | None = None
    median_review_delay_days: float | None = Field(None, ge=0)
    median_waiting_days: float | None = Field(None, ge=0)
    n: int | None = None
