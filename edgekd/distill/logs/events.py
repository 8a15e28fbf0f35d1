"""Events of the training log, one JSON object a line.

Rates are in 0..1, durations carry their unit. A field that a task has no meaning for is absent in the
file, never null; in memory it is None.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from edgekd.errors import DataError
from edgekd.store import parse_json, write_atomic

VERSION = 1

Rate = Annotated[float, Field(ge=0, le=1)]


def now() -> float:
    """Seconds since 1970, UTC."""
    return time.time()


class _Frozen(BaseModel):
    # A number that is not finite is written as a string: JSON has none, and null would say "no meaning".
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, ser_json_inf_nan="strings")


class Event(_Frozen):
    """Base of events: `time` is seconds since 1970, UTC."""

    version: int = Field(VERSION, ge=1, le=VERSION)
    time: float = Field(default_factory=now)


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

    event: Literal["class_slice_eval"] = "class_slice_eval"
    epoch: int
    class_name: str = Field(alias="class")
    support: int
    teacher_recall: Rate
    student_recall: Rate
    student_precision: Rate | None = None
    hard_label_weight: float
    soft_label_weight: float


class CapacityAnalysis(Event):
    """One student beside the others of its run; quality is of its best epoch, on validation rows."""

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


class SystemProfile(Event):
    """Where the time of one epoch went; the fractions add up to 1."""

    event: Literal["training_system_profile"] = "training_system_profile"
    job: str
    epoch: int
    seconds: float
    cpu_utilization: Rate | None = None
    gpu_utilization: Rate | None = None
    input_pipeline_wait_fraction: Rate
    teacher_forward_fraction: Rate
    student_step_fraction: Rate
    judging_fraction: Rate
    checkpoint_time_fraction: Rate
    other_fraction: Rate
    rows_per_second: float
    tokens_per_second: float


class DominatingExample(_Frozen):
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


class ShadowCompare(Event):
    """A student beside its teacher on live rows of one slice, answered in the shadow."""

    event: Literal["shadow_compare"] = "shadow_compare"
    slice: str
    teacher_preference_match: Rate
    student_win_rate: Rate | None = None
    policy_escalation_recall: Rate | None = None
    baseline_escalation_recall: Rate | None = None
    n: int


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


AnyEvent = Annotated[
    TrainStep
    | EpochSummary
    | ClassSliceEval
    | CapacityAnalysis
    | SystemProfile
    | DominatingExamples
    | ShadowCompare
    | FreshnessSlice
    | FactSlice
    | ReviewHealth,
    Field(discriminator="event"),
]
_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
_NEVER = 2**63
_KINDS = {str(kind.model_fields["event"].default) for kind in Event.__subclasses__()}


class EventLog:
    """Appends events to a file; a line is written whole. `also` is told of each event, too.

    A file that a killed run left goes on after its first `epochs` epochs: the others are run again, and
    what follows the last kept epoch is said again. Where the next epoch goes on within itself, its steps up
    to number `steps` are kept, too.
    """

    def __init__(
        self, path: Path, epochs: int = 0, also: Callable[[Event], None] | None = None, steps: int = 0
    ) -> None:
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        lines = text.splitlines(keepends=True)
        places = [_epoch_of(line, steps) for line in lines]
        end = max(
            (i + 1 for i, place in enumerate(places) if place is not None and place <= epochs), default=0
        )
        kept = [line for line, place in zip(lines[:end], places, strict=False) if (place or 0) <= epochs]
        write_atomic(path, "".join(kept))
        self._file = path.open("a", encoding="utf-8")
        self._also = also

    def write(self, event: Event) -> None:
        """Append one event."""
        self._file.write(event.model_dump_json(exclude_none=True, by_alias=True) + "\n")
        self._file.flush()
        if self._also is not None:
            self._also(event)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_events(path: Path) -> list[AnyEvent]:
    """Read a log; a last line that a kill cut short is left out, and so is an event of another kind.

    Raises:
        DataError: naming file and line, if there is no such file or a line is not an event.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise DataError(f"{path}: no such file; expected a log of events, one JSON object a line") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            document = parse_json(line) if line.strip() else None
        except ValueError as error:
            if number == len(lines):  # no line end follows: a kill cut it
                break
            raise DataError(f"{path}: line {number}: is not JSON: {' '.join(str(error).split())}") from None
        if document is not None and (event := _read(document, f"{path}: line {number}")) is not None:
            found.append(event)
    return found


def _read(document: Any, place: str) -> AnyEvent | None:
    if not isinstance(document, dict) or "event" not in document:
        raise DataError(f"{place}: is not an event; expected an object with the key 'event'")
    if document["event"] not in tuple(_KINDS):
        return None
    if None in document.values():
        key = next(key for key, value in document.items() if value is None)
        raise DataError(f"{place}: key '{key}' is null; a field without a meaning must be absent")
    try:
        return _ADAPTER.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part not in _KINDS)
        if key == "version":
            raise DataError(
                f"{place}: is of version {first['input']!r:.40}, this edgekd reads up to {VERSION}; "
                "upgrade it"
            ) from None
        raise DataError(f"{place}: {document['event']}: {key}: {first['msg']}") from None


def _epoch_of(line: str, steps: int) -> int | None:
    """Return a line's epoch, None where it names none; a line that a kill cut is of no epoch to keep.

    Of a step up to number `steps` it is 0: it is kept, whatever its epoch is.
    """
    try:
        document = parse_json(line) if line.endswith("\n") else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return _NEVER
    return 0 if document.get("global_step", steps + 1) <= steps else document.get("epoch")
