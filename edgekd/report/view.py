"""What a report shows: filled by the pipeline, read by every printer.

Base units throughout: milliseconds, bytes, and shares between 0 and 1 for quality, drops and
margins. A drop is reference minus candidate: positive is worse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from edgekd.gate.next_step import NextStep
from edgekd.report.slices import SliceRow
from edgekd.report.teacher import TeacherNote
from edgekd.report.variants import CheckStatus, VariantRow, VariantStatus
from edgekd.sizing.front import Front

Basis = Literal["native", "proxy", "emulated", "not measured"]
"""What a target's figures were measured on."""

TargetStatus = Literal["promoted", "promoted (proxy latency)", "not promoted", "not measured"]

_RANK: dict[VariantStatus, int] = {"pass": 0, "inconclusive": 1, "not eligible": 2, "fail": 3, "not built": 4}


@dataclass(frozen=True)
class DataNote:
    """Which rows the figures are of; `baseline` holds (name, quality) of simple models."""

    rows: tuple[tuple[str, int], ...]
    source: str
    digest: str
    baseline: tuple[tuple[str, float], ...] = ()
    counted: str = ""
    """Which test rows precision, false alarms and calibration are counted on; whole sentences."""


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
    sizings: tuple[Front, ...] = ()
    """The last answer of `edgekd size` for each target that has one."""

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the parts of any student's loss."""
        return tuple(dict.fromkeys(name for curve in self.curves for name in curve.term_names))
