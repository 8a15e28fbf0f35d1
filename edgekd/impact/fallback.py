"""What it costs when part of the requests goes on to the teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekd.errors import BadInputError

Billing = Literal["accepted", "cascade"]
"""The student is billed for what it answers alone, or for every request, as each runs it."""
BILLINGS: tuple[Billing, ...] = ("accepted", "cascade")


@dataclass(frozen=True)
class Prices:
    """Prices of teacher and student for a thousand requests, in USD, and how requests are billed."""

    teacher_per_1k: float
    student_per_1k: float
    billing: Billing = "cascade"

    def __post_init__(self) -> None:
        if not self.teacher_per_1k > 0 or self.student_per_1k < 0:
            raise BadInputError(
                "costs for a thousand: expected the teacher's > 0 and the student's >= 0, "
                f"got {self.teacher_per_1k:g} and {self.student_per_1k:g}"
            )

    def per_1k(self, fallback_rate: float) -> float:
        """Price a thousand requests of which this share goes to the teacher."""
        if not 0 <= fallback_rate <= 1:
            raise BadInputError(f"fallback rate: expected a share from 0 to 1, got {fallback_rate:g}")
        billed = 1 - fallback_rate if self.billing == "accepted" else 1.0
        return fallback_rate * self.teacher_per_1k + billed * self.student_per_1k

    def daily(self, fallback_rate: float, requests_per_day: float) -> float:
        """Price a day's requests.

        >>> round(Prices(3.0, 0.2, "accepted").daily(0.1, 10_000_000))
        4800
        >>> round(Prices(3.0, 0.2, "cascade").daily(0.1, 10_000_000))
        5000
        """
        if not requests_per_day > 0:
            raise BadInputError(f"requests a day: expected more than 0, got {requests_per_day:g}")
        return self.per_1k(fallback_rate) * requests_per_day / 1000

    @property
    def break_even(self) -> float:
        """The fallback rate from which the teacher alone would be no dearer; 0 if the student never pays."""
        share = 1 - self.student_per_1k / self.teacher_per_1k
        if self.billing == "accepted":
            return 1.0 if share > 0 else 0.0
        return max(share, 0.0)


@dataclass(frozen=True)
class Drift:
    """Planned against actual fallback; costs a day in USD.

    Attributes:
        times: actual over planned cost.
        saving_kept: actual over planned saving against the teacher alone; below 0 it costs more than that.
        alert: what to say to an operator; empty where the plan holds.
    """

    planned_daily: float
    actual_daily: float
    teacher_daily: float
    times: float
    saving_kept: float
    alert: str


def compare_fallback(
    routed: Prices, planned: float, actual: float, requests_per_day: float, *, least_kept: float = 0.9
) -> Drift:
    """Compare what a plan costs with what happens; alerts where less than `least_kept` of its saving is left.

    >>> drift = compare_fallback(Prices(3.0, 0.2, "accepted"), 0.10, 0.38, 10_000_000)
    >>> round(drift.actual_daily), round(drift.times, 2)
    (12640, 2.63)
    """
    before, now = routed.daily(planned, requests_per_day), routed.daily(actual, requests_per_day)
    teacher = routed.teacher_per_1k * requests_per_day / 1000
    if before >= teacher:
        raise BadInputError(
            f"a planned fallback of {planned:.1%} saves nothing: ${before:,.0f} a day against the teacher's "
            f"${teacher:,.0f}; the student pays below {routed.break_even:.1%}"
        )
    kept = (teacher - now) / (teacher - before)
    times = now / before
    alert = ""
    if now >= teacher:
        alert = (
            f"fallback of {actual:.1%} costs ${now:,.0f} a day, more than the teacher alone (${teacher:,.0f})"
        )
    elif kept < least_kept:
        alert = (
            f"fallback of {actual:.1%} instead of {planned:.1%} costs {times:.2f} times the plan and leaves "
            f"{kept:.0%} of the saving"
        )
    return Drift(before, now, teacher, times, kept, alert)
