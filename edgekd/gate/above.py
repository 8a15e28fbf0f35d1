"""The check against a baseline: answers that come with the rows, and that any model should better."""

from __future__ import annotations

from edgekd.evaluate.result import Above, Drop, SliceResult
from edgekd.gate.check import ABOVE, Check
from edgekd.units import format_points

_LEVEL = 0.95


def check_above(result: SliceResult, above: Above, of: int = 1) -> Check:
    """Check that a slice's value exceeds a baseline's on the same rows by what is asked.

    In tier `prove` the one-sided 95 % lower bound of the paired difference must reach it; the limit is missed
    for certain where the upper bound, at 1 - 5 % / `of`, does not, as `of` claims of harm share the 5 %. In
    tier `watch` only the latter fails. Between the two a proof is inconclusive, and says what it needs.
    """
    name, limit = f"{ABOVE}{above.reference} {result.name}", describe_limit(above)
    proven = result.tier == "prove"
    if result.n == 0:
        reason = "no row to prove it on: no test row is in this slice; widen it or add rows"
        return Check(name, "inconclusive" if proven else "pass", "no rows", limit, reason)
    drop = result.drop_from(above.reference)
    if drop is None:
        reason = f"no answers of {above.words} to these rows; evaluate again"
        return Check(name, "not measured", "not measured", limit, reason)
    bound, harm = drop.at(_LEVEL), drop.at(1 - (1 - _LEVEL) / of)
    shown = describe_gain(bound, above)
    if -harm.low < above.by:
        reason = f"that it is not is proven: it gains at most {_points(-harm.low)}"
        return Check(name, "fail", shown, limit, reason)
    if proven and -bound.high >= above.by:
        return Check(name, "pass", shown, limit, "the one-sided 95 % bound of the gain is enough")
    if not proven:
        if -drop.estimate < above.by:
            reason = f"it is not, but with {drop.n:,} rows that is not proven"
            return Check(name, "warning", shown, limit, reason)
        return Check(name, "pass", shown, limit, "no miss is proven")
    return Check(name, "inconclusive", shown, limit, _rows(bound, above))


def describe_gain(drop: Drop, above: Above) -> str:
    """Say by how much a value exceeds a baseline's, e.g. `beats the order that came in by 12.3 points`."""
    gain, low = -drop.estimate, -drop.high
    if low > 0:
        found = f"beats {above.words} by {_points(gain)}, at least {100 * low:.3g}"
    else:
        side = "above" if gain >= 0 else "below"
        found = (
            f"{_points(abs(gain))} {side} {above.words}, {format_points(low)} to {format_points(-drop.low)}"
        )
    return f"{found}, n {drop.n:,}"


def describe_limit(above: Above) -> str:
    """Say what is asked, e.g. `above the order that came in by 2 points`."""
    return f"above {above.words}" + (f" by {_points(above.by)}" if above.by else "")


def _rows(drop: Drop, above: Above) -> str:
    if -drop.estimate <= above.by:
        return "the value itself is not above it, so more rows would not help"
    more = drop.rows_needed(-above.by)
    if more is None:
        return "the gain is too near what is asked for any number of rows"
    return f"the bound of the gain is not enough; about {more:,} more rows would prove it at this rate"


def _points(share: float) -> str:
    return f"{100 * share:.3g} points"
