"""Events of a training."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from edgekd.distill.logs.event import Event, FrozenPart, Rate

_LOSS_OF_EPOCH, _EVAL = re.compile(r"train_kd_loss_epoch(\d{1,6})"), "eval_"


class TrainStep(Event):
    """One optimizer step; `hard_ce` is the mean over all rows, where a row without a label counts 0.

    `terms` are means of the parts of the loss that have no field of their own.
    """

    event: Literal["kd_train_step"] = "kd_train_step"
    task: str
    epoch: int
    global_step: int
    batch_size: int
    hard_ce: float | None = None
    kd_kl_t2: float | None = None
    feature_mse: float | None = None
    attention_mse: float | None = None
    terms: dict[str, float] | None = None
    total_loss: float
    grad_norm: float
    lr: float
    throughput_samples_per_sec: float


class EpochSummary(Event):
    """One pass over the training rows, judged on validation rows.

    `train_hard_ce` is the mean over the rows that have a label, the other `train_` figures over all;
    `val_loss` is the loss against the targets; `val_rows` is the n of every validation figure. `train_terms`
    and `val_figures` hold by name what has no field of its own. `chosen_by` names the figure that decides
    which epoch is best, where that is not the promotion score.
    """

    event: Literal["kd_epoch_summary"] = "kd_epoch_summary"
    task: str
    student: str
    teacher: str
    epoch: int
    train_loss: float
    val_loss: float
    train_hard_ce: float | None = None
    train_kd_kl_t2: float | None = None
    train_feature_mse: float | None = None
    train_attention_mse: float | None = None
    train_terms: dict[str, float] | None = None
    val_rows: int | None = None
    val_accuracy: Rate | None = None
    teacher_preference_match: Rate | None = None
    safety_recall: Rate | None = None
    calibration_ece: Rate | None = None
    val_figures: dict[str, float] | None = None
    chosen_by: str | None = None
    is_higher_better: bool | None = None
    human_win_rate_vs_base: Rate | None = None
    hallucination_rate: Rate | None = None
    refusal_precision: Rate | None = None
    avg_output_tokens: float | None = None
    cost_per_1k_responses: float | None = None
    checkpoint_promotable: bool | None = None
    seconds: float | None = None

    @property
    def chosen_value(self) -> float | None:
        """The figure named by `chosen_by`, where there is one."""
        if self.chosen_by is None:
            return None
        value: float | None = getattr(self, self.chosen_by, None)
        return (self.val_figures or {}).get(self.chosen_by, value)


class ClassSliceEval(Event):
    """One class on validation rows after an epoch; precision is absent where the class was never answered."""

    model_config = ConfigDict(extra="ignore")

    event: Literal["class_slice_eval"] = "class_slice_eval"
    epoch: int | None = None
    class_name: str = Field(alias="class")
    support: int
    teacher_recall: Rate
    student_recall: Rate
    student_precision: Rate | None = None
    hard_label_weight: float
    soft_label_weight: float


class CapacityAnalysis(Event):
    """One student beside the others of its run; quality is of its best epoch, on validation rows.

    Other systems write a field for each epoch (`train_kd_loss_epoch1`) and one named after the metric
    (`eval_ndcg10`); both are read.
    """

    model_config = ConfigDict(extra="ignore")

    event: Literal["student_capacity_analysis"] = "student_capacity_analysis"
    student: str
    train_kd_loss: tuple[float, ...]
    quality: Rate
    quality_metric: str
    calibration_ece: Rate | None = None
    rare_query_recall: Rate | None = None
    params_millions: float | None = None
    p95_ms: float | None = None
    cost_per_1k_usd: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_other_systems(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        losses = {int(m[1]): value for key, value in given.items() if (m := _LOSS_OF_EPOCH.fullmatch(key))}
        named = [key for key in given if key.startswith(_EVAL)]
        found = dict(given)
        if losses and "train_kd_loss" not in given:
            found["train_kd_loss"] = [losses[epoch] for epoch in sorted(losses)]
        if len(named) == 1 and "quality" not in given:
            found |= {"quality": given[named[0]], "quality_metric": named[0].removeprefix(_EVAL)}
        return found


class SystemProfile(Event):
    """Where the time of one epoch went; the fractions add up to 1 where all are known.

    Other systems write fewer of them, and fields of their own, which are left out.
    """

    model_config = ConfigDict(extra="ignore")

    event: Literal["training_system_profile"] = "training_system_profile"
    job: str
    epoch: int | None = None
    seconds: float | None = None
    cpu_utilization: Rate | None = None
    gpu_utilization: Rate | None = None
    input_pipeline_wait_fraction: Rate
    teacher_forward_fraction: Rate
    student_step_fraction: Rate | None = None
    judging_fraction: Rate | None = None
    checkpoint_time_fraction: Rate
    other_fraction: Rate | None = None
    rows_per_second: float | None = None
    tokens_per_second: float


class DominatingExample(FrozenPart):
    """A row whose loss was over the bound in `epochs_over` of the `epochs_seen` epochs it was met in.

    What it should get is `class` where that is a class, else `target`.
    """

    row: int
    text: str
    class_name: str | None = Field(None, alias="class")
    target: str | None = None
    teacher_answer: str | None = None
    epochs_over: int
    epochs_seen: int
    mean_loss: float


class DominatingExamples(Event):
    """Rows that dominate their batches epoch after epoch.

    `count` is of all, `examples` are the worst; those that have a label or another target come first.
    """

    event: Literal["dominating_examples"] = "dominating_examples"
    student: str
    epoch: int
    times_batch_mean: float
    least_epochs: int
    count: int
    rows: int
    examples: tuple[DominatingExample, ...]
