"""A canary: part of the traffic goes to the candidate, and is watched against the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edgekd.errors import BadInputError
from edgekd.stats.interval import Interval
from edgekd.stats.sample_size import rows_per_arm
from edgekd.stats.sequential import Arm, drop_sequence

Decision = Literal["stop: harm", "stop: success", "go on"]
_MOST_ROWS = 1 << 40


@dataclass(frozen=True)
class CanaryPlan:
    """How long a canary takes; rows are of the candidate's arm.

    Attributes:
        rows_equal: with as many rows in the other arm, looked at once, at the end.
        rows: with the other arm at its share of the traffic, looked at once, at the end.
        rows_watched: looked at as often as one likes; where the change is as large as planned, a decision
            comes at about so many.
    """

    share: float
    requests_per_day: float
    rows_equal: int
    rows: int
    rows_watched: int

    def days(self, rows: int) -> float:
        """Days until the candidate's arm has so many rows."""
        return rows / (self.share * self.requests_per_day)


def plan_canary(
    baseline: float,
    degraded: float,
    requests_per_day: float,
    share: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    slice_share: float = 1.0,
) -> CanaryPlan:
    """Plan a canary that finds a fall of a rate from `baseline` to `degraded`, `power` of the times.

    `share` of the requests go to the candidate; `slice_share` of them are in the slice that is watched.

    >>> plan = plan_canary(0.90, 0.895, requests_per_day=500_000, share=0.10)
    >>> plan.rows_equal, round(plan.days(plan.rows_equal), 2)
    (57760, 1.16)
    """
    if not 0 < share < 1:
        raise BadInputError(f"the candidate's share of the traffic: expected between 0 and 1, got {share:g}")
    if not 0 < slice_share <= 1:
        raise BadInputError(f"slice share: expected more than 0, at most 1, got {slice_share:g}")
    if not requests_per_day > 0:
        raise BadInputError(f"requests a day: expected more than 0, got {requests_per_day:g}")
    control = (1 - share) / share
    return CanaryPlan(
        share=share,
        requests_per_day=requests_per_day * slice_share,
        rows_equal=rows_per_arm(baseline, degraded, alpha=alpha, power=power),
        rows=rows_per_arm(baseline, degraded, alpha=alpha, power=power, control_per_row=control),
        rows_watched=_rows_watched(baseline, degraded, control, 1 - alpha),
    )


@dataclass(frozen=True)
class Watched:
    """One slice at one look; the drop is the control's rate minus the candidate's."""

    decision: Decision
    drop: Interval
    reason: str


def watch_canary(
    slices: Mapping[str, tuple[Arm, Arm]], margin: float, confidence: float = 0.95
) -> dict[str, Watched]:
    """Decide for each slice, from all rows that it has seen: (control, candidate).

    `stop: harm` says that the drop is above `margin`, `stop: success` that it is below. Looking after
    every row is as good as looking once. The chance that any slice within its margin is ever said to be
    harmed is at most 1 - `confidence`, over all slices together; so is, for each slice, the chance that one
    beyond its margin is ever called a success.
    """
    if not slices:
        return {}
    found = {}
    for name, (control, candidate) in slices.items():
        harm = drop_sequence(control, candidate, 1 - (1 - confidence) / len(slices))
        drop = drop_sequence(control, candidate, confidence)
        if harm.low > margin:
            why = f"the drop is at least {100 * harm.low:+.2f} points, at whatever look"
            found[name] = Watched("stop: harm", harm, why)
        elif drop.high <= margin:
            why = f"the drop is at most {100 * drop.high:+.2f} points, at whatever look"
            found[name] = Watched("stop: success", drop, why)
        else:
            why = f"the drop is between {100 * drop.low:+.2f} and {100 * drop.high:+.2f} points so far"
            found[name] = Watched("go on", drop, why)
    return found


def _rows_watched(baseline: float, degraded: float, control_per_row: float, confidence: float) -> int:
    """Rows at which the watched interval, at the expected counts, leaves out no change."""

    def is_decided(rows: int) -> bool:
        others = math.ceil(rows * control_per_row)
        control, tested = Arm(round(others * baseline), others), Arm(round(rows * degraded), rows)
        drop = drop_sequence(control, tested, confidence)
        return drop.low > 0 or drop.high < 0

    enough = 16
    while not is_decided(enough):
        enough *= 2
        if enough > _MOST_ROWS:
            raise BadInputError(f"no number of rows tells {degraded:g} from {baseline:g}")
    short = enough // 2
    while enough - short > max(1, short // 1000):
        middle = (short + enough) // 2
        short, enough = (short, middle) if is_decided(middle) else (middle, enough)
    return enough
