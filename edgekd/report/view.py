"""What a report shows: filled by the pipeline, read by every printer.

Base units throughout: milliseconds, bytes, and shares between 0 and 1 for quality, drops and
margins. A drop is reference minus candidate: positive is worse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from edgekd.gate.next_step import NextStep
from edgekd.impact.saving import DAYS
from edgekd.report.classes import BiasNote, ClassRow, ConfusionRow
from edgekd.stats.interval import Interval

Basis = Literal["native", "proxy", "emulated", "not measured"]
"""What a target's figures were measured on."""

TargetStatus = Literal["promoted", "promoted (proxy latency)", "not promoted", "not measured"]
VariantStatus = Literal["pass", "fail", "inconclusive", "not eligible", "not built"]
CheckStatus = Literal["pass", "warning", "fail", "inconclusive", "not eligible", "not measured"]

_RANK: dict[VariantStatus, int] = {"pass": 0, "inconclusive": 1, "not eligible": 2, "fail": 3, "not built": 4}


@dataclass(frozen=True)
class DropBound:
    """A drop with its one-sided upper bound: the end that the gate reads."""

    estimate: float
    bound: float
    confidence: float = 0.95


@dataclass(frozen=True)
class DataNote:
    """Which rows the figures are of; `baseline` holds (name, quality) of simple models."""

    rows: tuple[tuple[str, int], ...]
    source: str
    digest: str
    baseline: tuple[tuple[str, float], ...] = ()
    counted: str = ""
    """Which test rows precision, false alarms and calibration are counted on; whole sentences."""


@dataclass(frozen=True)
class TeacherTimes:
    """The teacher's latency with so many threads, text in, answer out: in PyTorch eager, and in ONNX Runtime.

    `onnx_p95_ms` is of the same model in ONNX Runtime fp32. What was not timed is absent.
    """

    threads: int
    p50_ms: Interval | None
    p95_ms: Interval | None
    onnx_p95_ms: Interval | None = None


def print_threads(count: int) -> str:
    """Print a number of threads.

    >>> print_threads(1), print_threads(2)
    ('1 thread', '2 threads')
    """
    return f"{count} thread{'s' if count != 1 else ''}"


@dataclass(frozen=True, kw_only=True)
class TeacherNote:
    """The reference: quality on the test split by `metric`, and latency for each number of threads."""

    name: str
    parameters: int
    quality: Interval
    weights_bytes: int
    metric: str = "accuracy"
    times: tuple[TeacherTimes, ...] = ()

    def at(self, threads: int) -> TeacherNote:
        """Return the note with the times of this number of threads alone."""
        return replace(self, times=tuple(one for one in self.times if one.threads == threads))

    @property
    def p50_ms(self) -> Interval | None:
        """In PyTorch eager, of the first number of threads."""
        return self.times[0].p50_ms if self.times else None

    @property
    def p95_ms(self) -> Interval | None:
        """In PyTorch eager, of the first number of threads."""
        return self.times[0].p95_ms if self.times else None

    @property
    def onnx_p95_ms(self) -> Interval | None:
        """In ONNX Runtime fp32, of the first number of threads."""
        return self.times[0].onnx_p95_ms if self.times else None


@dataclass(frozen=True)
class CheckRow:
    """One check of a gate; `found` and `limit` are printed with their unit already."""

    name: str
    status: CheckStatus
    found: str
    limit: str
    reason: str = ""


@dataclass(frozen=True)
class RoutedRow:
    """One slice of a routed system: shares of its rows that go to the teacher, or are refused."""

    name: str
    n: int
    value: Interval
    fallback: Interval
    refused: Interval
    requests_per_day: float | None = None
    """How many of a day's requests are of the slice, where the project says how many there are."""


@dataclass(frozen=True)
class ReliabilityRow:
    """One slice's calibration error; `bins` hold the mean of what was said and the share that was right."""

    name: str
    n: int
    ece: float
    ece_if_calibrated: float
    """What a perfectly calibrated model would show on so few rows."""
    bins: tuple[tuple[float, Interval], ...]
    brier: float | None = None
    """Summed over labels, 0 to 2; smaller is better."""
    confident_errors: Interval | None = None
    """Share of its rows that are wrong with a probability of at least 0.9."""
    requests_per_day: float | None = None
    """How many of a day's requests are of the slice, where the project says how many there are."""


@dataclass(frozen=True)
class FigureRow:
    """A figure of one slice that no gate reads; `values` are by whose they are, empty for the variant's."""

    slice: str
    name: str
    n: int
    values: tuple[tuple[str, Interval], ...]
    is_share: bool = True

    def of(self, whose: str) -> Interval | None:
        """Return one's value, if it has this figure."""
        return next((value for name, value in self.values if name == whose), None)


@dataclass(frozen=True)
class DailyCost:
    """What a day's requests cost in USD, by one way to answer them.

    `saving` is against the teacher alone; None for the teacher, and where its price is not known.
    """

    name: str
    daily: float
    saving: float | None = None

    @property
    def monthly(self) -> float:
        """In 30 days."""
        return DAYS * self.daily

    @property
    def monthly_saving(self) -> float | None:
        """In 30 days."""
        return None if self.saving is None else DAYS * self.saving


@dataclass(frozen=True)
class DailyCosts:
    """What a day's requests cost, each way beside the others; `alert` says where a plan does not hold."""

    ways: tuple[DailyCost, ...]
    alert: str = ""


@dataclass(frozen=True, kw_only=True)
class VariantRow:
    """One variant on one target; what was not measured is absent."""

    name: str
    student: str
    runtime: str
    recipe: str
    status: VariantStatus
    p50_ms: Interval | None = None
    p95_ms: Interval | None = None
    cold_start_ms: float | None = None
    peak_rss_bytes: int | None = None
    artifact_bytes: int | None = None
    cost_per_1000_usd: float | None = None
    """Where the target has a price; a proxy's times are a proxy's costs."""
    daily_costs: DailyCosts | None = None
    """Of a day's requests, where the project says how many there are."""
    mode: str = "latency mode"
    """How it is run; latency is of one text at a time in either mode."""
    texts_per_second: Interval | None = None
    """With all texts at hand, in the throughput mode."""
    texts_per_second_one_by_one: Interval | None = None
    """Of the same artifact in the latency mode, with as many threads."""
    quality: Interval | None = None
    """Over the whole test split."""
    overall_drop: DropBound | None = None
    """Against the teacher."""
    worst_slice: str = ""
    worst_slice_drop: float | None = None
    """Against the teacher."""
    speedup_vs_teacher: Interval | None = None
    """Ratio of p95, the teacher in PyTorch eager."""
    speedup_vs_teacher_onnx: Interval | None = None
    """Ratio of p95, the teacher in ONNX Runtime fp32."""
    on_front: bool = False
    routing: tuple[RoutedRow, ...] = ()
    """Slices of the routed system; then quality and drops, here and by slice, are its, teacher included."""
    policy: str = ""
    """The routing policy, as it lies in the artifact."""
    reliability: tuple[ReliabilityRow, ...] = ()
    """Of the variant's own probabilities, before any routing."""
    figures: tuple[FigureRow, ...] = ()
    """Of its own answers, beside those that the gate judges by."""
    checks: tuple[CheckRow, ...] = ()
    classes: tuple[ClassRow, ...] = ()
    """As they are served: of the routed system where there is one."""
    confusions: tuple[ConfusionRow, ...] = ()
    bias: BiasNote | None = None

    @property
    def throughput_words(self) -> str:
        """Say its mode and throughput; empty in the latency mode."""
        rate, beside = self.texts_per_second, self.texts_per_second_one_by_one
        if rate is None or beside is None:
            return ""
        return (
            f"{self.mode}: {rate.estimate:,.0f} texts a second, {beside.estimate:,.0f} in the latency mode; "
            "p50 and p95 are of one text at a time"
        )

    @property
    def warnings(self) -> int:
        """How many checks pass with a warning."""
        return sum(check.status == "warning" for check in self.checks)

    @property
    def look(self) -> VariantStatus | Literal["warning"]:
        """Its status as it is shown: what passes with a warning has no green tick."""
        return "warning" if self.status == "pass" and self.warnings else self.status


@dataclass(frozen=True, kw_only=True)
class SliceValue:
    """One variant on one slice; intervals of the drops are two-sided.

    `bound` is the one-sided 95 % bound of the value, on the side that a floor (or a limit on false alarms)
    is judged by; absent where the slice has neither.
    """

    variant: str
    value: Interval
    drop_vs_teacher: Interval | None
    drop_vs_fp32: Interval | None = None
    bound: float | None = None
    gains: tuple[str, ...] = ()
    """How it stands to each baseline that it must exceed, in words."""
    status: CheckStatus


@dataclass(frozen=True, kw_only=True)
class SliceRow:
    """One slice: how it is judged, how many rows it has, and every variant on it."""

    name: str
    tier: Literal["prove", "watch"]
    metric: str
    n: int
    margin: float | None
    teacher: Interval | None
    at_least: float | None = None
    at_most: float | None = None
    above: tuple[str, ...] = ()
    """What else it must exceed, in words."""
    left_out: int = 0
    """Rows of the slice that are not judged, as every answer to them is as good."""
    sampling: Literal["all", "traffic", "weighted"] = "all"
    """Which rows count: all of the slice's, those drawn as traffic comes, or all by share of traffic."""
    requests_per_day: float | None = None
    """How many of a day's requests are judged by it, where the project says how many requests there are and
    each answer is right or wrong."""
    variants: tuple[SliceValue, ...] = ()

    def errors_per_day(self, value: Interval | None) -> float | None:
        """Return how many of a day's requests a value gets wrong; None where that is not known."""
        if value is None or self.requests_per_day is None:
            return None
        rate = value.estimate if self.metric == "false_alarm" else 1 - value.estimate
        return rate * self.requests_per_day

    def of(self, variant: str) -> SliceValue | None:
        """Return the value of a variant, if it was scored."""
        return next((value for value in self.variants if value.variant == variant), None)


@dataclass(frozen=True, kw_only=True)
class TargetReport:
    """One hardware target: what was tried, what was found, what was promoted and why."""

    name: str
    description: str
    status: TargetStatus
    reason: str
    objective: str
    basis: Basis
    threads: int = 1
    """Threads that its models may use, and that its figures are measured with."""
    basis_reason: str = ""
    promoted: str | None = None
    tie_with: str | None = None
    p95_limit_ms: float | None = None
    """Drawn in the figure; checks print their own limits."""
    variants: tuple[VariantRow, ...] = ()
    slices: tuple[SliceRow, ...] = ()
    next_step: NextStep | None = None
    """What would have to pass, where nothing is promoted."""

    @property
    def look(self) -> CheckStatus:
        """How its verdict is shown: red only where the variants that were judged fail their gate."""
        if self.promoted is not None:
            return "pass"
        found = {row.status for row in self.variants}
        order: tuple[CheckStatus, ...] = ("inconclusive", "fail", "not eligible")
        return next((status for status in order if status in found), "not measured")

    @property
    def shown(self) -> VariantRow | None:
        """The variant that routing, calibration and classes are shown of: promoted, or nearest to it."""
        nearest = self.next_step.variant if self.next_step else None
        found = next((row for row in self.variants if row.name == nearest), None)
        return self.winner or found or next(iter(self.ranked), None)

    @property
    def winner(self) -> VariantRow | None:
        """The promoted variant's row, unless it was not tried in this run."""
        return next((row for row in self.variants if row.name == self.promoted), None)

    @property
    def ranked(self) -> tuple[VariantRow, ...]:
        """Variants as they are numbered: promoted, then by status, then by latency."""
        return tuple(
            sorted(
                self.variants,
                key=lambda row: (
                    row.name != self.promoted,
                    _RANK[row.status],
                    row.p95_ms.estimate if row.p95_ms else math.inf,
                    row.name,
                ),
            )
        )


@dataclass(frozen=True)
class EpochPoint:
    """One epoch of training; a loss that the student does not have is absent.

    `terms` are (name, value) of the parts of the loss.
    """

    epoch: int
    train_loss: float | None
    val_loss: float | None
    val_quality: float | None
    terms: tuple[tuple[str, float | None], ...] = ()

    def term(self, name: str) -> float | None:
        """Return one part of the loss; None where this student has none of that name."""
        return next((value for own, value in self.terms if own == name), None)


@dataclass(frozen=True)
class Curve:
    """How one student learned."""

    student: str
    epochs: tuple[EpochPoint, ...]

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the parts of its loss."""
        return tuple(dict.fromkeys(name for point in self.epochs for name, _ in point.terms))


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """Everything that one run has to show; `environment` is one line."""

    project: str
    created_utc: str
    command: str
    environment: str
    data: DataNote
    teacher: TeacherNote
    targets: tuple[TargetReport, ...]
    curves: tuple[Curve, ...] = ()
    requests_per_day: float | None = None
    """What counts and costs per day are of; None where the project does not say."""

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the parts of any student's loss."""
        return tuple(dict.fromkeys(name for curve in self.curves for name in curve.term_names))
