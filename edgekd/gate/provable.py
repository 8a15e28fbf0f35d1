"""Whether the rows of a slice can prove what is asked of it, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from edgekd.errors import BadInputError
from edgekd.evaluate.record import Record
from edgekd.stats.bounded import BoundedMean
from edgekd.stats.bounded_power import (
    chance_to_hold,
    gain_to_prove,
    suppose_differences,
    values_to_decide,
)
from edgekd.stats.paired import paired_drop_bound, rows_needed
from edgekd.stats.paired_power import chance_to_pass, rows_to_decide
from edgekd.stats.share_power import chance_to_prove, rows_to_prove, share_to_prove

_LEVEL = 0.95
POWER = 0.9
"""A proof that succeeds so often, at the supposed rates, is called provable."""

Kind = Literal["margin", "floor", "ceiling", "gain"]
Status = Literal["provable", "uncertain", "out of reach", "impossible"]


@dataclass(frozen=True)
class Rates(Record):
    """What a student is supposed to do; all are shares of rows.

    The first three are medians over 68 slices of the variants that the studies on CLINC150, BANKING77 and
    MangaAssist compiled (docs/results/preflight.md): 2.6 % of the rows lost against the teacher, 2.9 % gained
    (taken as 2.6, so that no student is supposed to better its teacher), 90.9 % right. False alarms of
    classes have no such record: half of one per cent is a guess.

    Where a row has a value and not a hit, `spread` is the standard deviation of what it loses against the
    teacher: 7 to 12 points of NDCG@10 where one order is compared with itself and noise on its scores; `far`
    is that against a baseline, as between two simple orders: 9 to 28 (docs/results/gate_errors_rank.md).
    """

    lost: float = 0.026
    gained: float = 0.026
    value: float = 0.909
    false_alarm: float = 0.005
    spread: float = 0.1
    far: float = 0.25


TYPICAL = Rates()


@dataclass(frozen=True)
class Proof(Record):
    """One thing that a slice must prove, and whether its rows can.

    `chance` is that of the proof at the supposed rates; `impossible` is what not even a student that is right
    on every row can prove, `out of reach` what one that answers just as its teacher cannot: it would have to
    be luckier than that. `rows_at_best` are needed then, `rows_needed` at the supposed rates (None: no number
    is enough); `value_needed` is the true value, or the true gain, that these rows prove nine times of ten.
    `chance` is None where nothing is supposed of what a student reaches.
    """

    slice: str
    of: str
    kind: Kind
    limit: float
    rows: int
    status: Status
    chance: float | None
    rows_at_best: int | None
    rows_needed: int | None
    value_needed: float | None = None
    reason: str = ""


def prove_margin(name: str, of: str, rows: int, margin: float, lost: float, gained: float) -> Proof:
    """Say whether so many rows prove that the drop against the teacher is within the margin (a share)."""
    chance = chance_to_pass(rows, lost, gained, margin)
    at_best = _rows_of_a_copy(margin)
    needed = _rows_to_decide(lost, gained, margin) if lost - gained < margin else None
    status, reason = _judge(rows, margin, paired_drop_bound(0, 0, rows)[1], chance)
    return Proof(name, of, "margin", margin, rows, status, chance, at_best, needed, reason=reason)


def prove_mean_margin(name: str, of: str, rows: int, margin: float, spread: float) -> Proof:
    """Say the same where each row has a value from 0 to 1, whose drops have this standard deviation."""
    supposed = suppose_differences(spread)
    chance = chance_to_hold(supposed, rows, margin) if rows else 0.0
    at_best, needed = _values_to_decide(0.0, margin), _values_to_decide(spread, margin)
    bound = BoundedMean.of(np.zeros(rows), least=-1.0).at(_LEVEL).high if rows else 1.0
    status, reason = _judge(rows, margin, bound, chance)
    return Proof(name, of, "margin", margin, rows, status, chance, at_best, needed, reason=reason)


def prove_mean_floor(name: str, of: str, rows: int, floor: float) -> Proof:
    """Say whether so many rows can prove a mean value to be at least the floor, if all values were 1."""
    at_best = _values_to_decide(0.0, 1 - floor)
    bound = BoundedMean.of(np.ones(rows)).at(_LEVEL).low if rows else 0.0
    if bound < floor:
        reason = (
            f"even with every value at 1, {rows:,} rows prove too little" if rows else "no row to prove it on"
        )
        return Proof(name, of, "floor", floor, rows, "impossible", 0.0, at_best, at_best, None, reason)
    return Proof(name, of, "floor", floor, rows, "uncertain", None, at_best, at_best)


def prove_gain(name: str, of: str, rows: int, least: float, spread: float) -> Proof:
    """Say which gain over a baseline so many rows prove to be at least what is asked."""
    gain = gain_to_prove(spread, rows, least) if rows else None
    if gain is None:
        reason = f"{rows:,} rows prove no gain that a model may have" if rows else "no row to prove it on"
        return Proof(name, of, "gain", least, rows, "out of reach", 0.0, None, 0, None, reason)
    return Proof(name, of, "gain", least, rows, "uncertain", None, None, 0, gain)


def _judge(rows: int, margin: float, bound: float, chance: float) -> tuple[Status, str]:
    """Judge rows for a margin; `bound` is that of a drop that is 0 on every row."""
    if rows < 2:
        return "impossible", f"{rows} row{'' if rows == 1 else 's'} prove nothing"
    if bound > margin and chance < POWER:
        shown = f"{100 * bound:.1f} points"
        return (
            "out of reach",
            f"with no row lost and none gained, {rows:,} rows prove a drop of at most {shown}",
        )
    return "provable" if chance >= POWER else "uncertain", ""


def prove_floor(name: str, of: str, rows: int, floor: float, value: float) -> Proof:
    """Say whether so many rows prove a value (a share of hits) to be at least the floor."""
    return _prove_share(name, of, "floor", rows, floor, value, floor)


def prove_ceiling(name: str, of: str, rows: int, ceiling: float, rate: float) -> Proof:
    """Say whether so many rows prove a rate of false alarms to be at most the ceiling."""
    return _prove_share(name, of, "ceiling", rows, 1 - ceiling, 1 - rate, ceiling)


def _prove_share(
    name: str, of: str, kind: Literal["floor", "ceiling"], rows: int, floor: float, value: float, limit: float
) -> Proof:
    at_best, needed = _rows_to_prove(1.0, floor), _rows_to_prove(value, floor)
    least = share_to_prove(rows, floor) if rows else None
    if rows == 0 or least is None:
        best = "all of them right" if kind == "floor" else "no false alarm in them"
        reason = f"even with {best}, {rows:,} rows prove too little" if rows else "no row to prove it on"
        return Proof(name, of, kind, limit, rows, "impossible", 0.0, at_best, needed, None, reason)
    chance = chance_to_prove(rows, value, floor)
    status: Status = "provable" if chance >= POWER else "uncertain"
    shown = least if kind == "floor" else 1 - least
    return Proof(name, of, kind, limit, rows, status, chance, at_best, needed, shown)


@cache
def _rows_to_decide(lost: float, gained: float, margin: float) -> int | None:
    try:
        return rows_to_decide(lost, gained, margin, power=POWER)
    except BadInputError:  # too near the margin
        return None


@cache
def _values_to_decide(spread: float, margin: float) -> int | None:
    try:
        return values_to_decide(suppose_differences(spread), margin, power=POWER)
    except BadInputError:  # too near the margin
        return None


@cache
def _rows_of_a_copy(margin: float) -> int | None:
    more = rows_needed(0, 0, 2, margin)
    return None if more is None else 2 + more


@cache
def _rows_to_prove(value: float, floor: float) -> int | None:
    return rows_to_prove(value, floor, power=POWER)
