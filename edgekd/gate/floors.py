"""The check of a floor: a slice's own value, whatever the teacher reaches there."""

from __future__ import annotations

from edgekd.evaluate.result import SliceResult
from edgekd.gate.check import Check, Status
from edgekd.stats.bounded import BoundedMean
from edgekd.stats.tally import Tally, exact_floor_rows

_LEVEL = 0.95


def check_floor(result: SliceResult, of: int = 1) -> Check:
    """Check a slice's floor (`at_least`), or its largest share of false alarms (`at_most`).

    In tier `prove` the one-sided 95 % bound of the value must keep the limit; the floor is missed for certain
    where the other bound, at 1 - 5 % / `of`, misses it too, as `of` claims of harm share the 5 %. In tier
    `watch` only the latter fails. Between the two a proof is inconclusive and says how many rows would do.
    """
    name = f"floor {result.name}"
    assert result.floor is not None
    limit = _limit(result)
    proven = result.tier == "prove"
    if result.tally is None or result.value is None:
        reason = "no row to prove it on: no test row is in this slice; widen it or add rows"
        return Check(name, "inconclusive" if proven else "pass", "no rows", limit, reason)
    tally = result.tally
    bound, harm = tally.at(_LEVEL), tally.at(1 - (1 - _LEVEL) / of)
    shown = f"{_show(result)} [{_percent(result, bound.low, bound.high)}], n {result.n:,}"
    if harm.high < result.floor:
        return Check(name, "fail", shown, limit, _beside_teacher(result, "the limit is missed for certain"))
    if proven and bound.low >= result.floor:
        return Check(name, "pass", shown, limit, "the one-sided 95 % bound keeps the limit")
    if not proven:
        missed = tally.share < result.floor
        reason = "no miss is proven" + (", though the value misses the limit" if missed else "")
        status: Status = "warning" if missed else "pass"
        return Check(name, status, shown, limit, _beside_teacher(result, reason) if missed else reason)
    return Check(name, "inconclusive", shown, limit, _beside_teacher(result, _rows_needed(result, tally)))


def _rows_needed(result: SliceResult, tally: Tally | BoundedMean) -> str:
    assert result.floor is not None
    if tally.share <= result.floor:
        return "the value itself misses the limit; more rows would not help"
    if isinstance(tally, BoundedMean):
        more = tally.rows_needed(result.floor)
        rows = None if more is None else tally.n + more
    else:
        rows = exact_floor_rows(tally.share, result.floor)
    if result.sampling == "weighted" or rows is None:
        return "the bound misses the limit; more rows would decide"
    return f"the bound misses the limit; at this value {rows:,} rows would prove it, of {result.n:,} here"


def _beside_teacher(result: SliceResult, reason: str) -> str:
    """Say it of the teacher, too, where the teacher itself misses the limit."""
    drop = result.drop_from("teacher")
    if drop is None or result.tally is None or result.floor is None:
        return reason
    taught = result.tally.share + drop.estimate
    if taught >= result.floor:
        return reason
    value = 1 - taught if result.at_most is not None else taught
    return f"{reason}; the teacher itself misses it with {100 * value:.1f} %"


def _limit(result: SliceResult) -> str:
    if result.at_most is not None:
        return f"at most {100 * result.at_most:.4g} %"
    assert result.at_least is not None
    return f"at least {100 * result.at_least:.4g} %"


def _show(result: SliceResult) -> str:
    assert result.value is not None
    return f"{result.metric.replace('_', ' ')} {100 * result.value.estimate:.2f} %"


def _percent(result: SliceResult, low: float, high: float) -> str:
    ends = (1 - high, 1 - low) if result.at_most is not None else (low, high)
    return " to ".join(f"{100 * end:.2f} %" for end in ends)
