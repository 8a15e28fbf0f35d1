"""One variant in a report: what was measured of it, and the rows that its tables have.

Base units as in `edgekd.report.view`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekd.impact.saving import DAYS
from edgekd.report.classes import BiasNote, ClassRow, ConfusionRow
from edgekd.stats.interval import Interval

VariantStatus = Literal["pass", "fail", "inconclusive", "not eligible", "not built"]
CheckStatus = Literal["pass", "warning", "fail", "inconclusive", "not eligible", "not measured"]


@dataclass(frozen=True)
class DropBound:
    """A drop with its one-sided upper bound: the end that the gate reads."""

    estimate: float
    bound: float
    confidence: float = 0.95


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
