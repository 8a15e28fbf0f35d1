"""Gates on figures of trust, safety and cost: one limit, one interval, one check."""

from __future__ import annotations

from collections.abc import Mapping

from edgekd.config.gates import Gates
from edgekd.gate.check import Check
from edgekd.stats.interval import Interval

AT_LEAST = ("teacher_preference_match", "human_win_rate", "cost_reduction")
AT_MOST = (
    "hallucination_rate",
    "fallback_rate",
    "ece",
    "brier",
    "confident_error_rate",
    "data_age_p50_days",
    "data_age_p95_days",
)
_OF_ROUTING = ("cost_reduction", "fallback_rate")
_NO_SHARE = ("brier",)


def asked_figures(gates: Gates) -> tuple[str, ...]:
    """Name the figures that have a limit; one of a slice has the slice's name after a colon."""
    return tuple(_limits(gates))


def _limits(gates: Gates) -> dict[str, float]:
    whole = {name: getattr(gates, name) for name in (*AT_LEAST, *AT_MOST)}
    parts = {f"{name}:{part}": limit for part, limits in gates.slices.items() for name, limit in limits}
    return {name: float(limit) for name, limit in (whole | parts).items() if limit is not None}


def check_figures(gates: Gates, figures: Mapping[str, Interval], why: str = "") -> tuple[Check, ...]:
    """Check every figure that has a limit; `figures` hold two-sided intervals at 90 %.

    So each end is a one-sided bound at 95 %. In mode `bound` the pessimistic end must hold the limit; in
    mode `point` the estimate must, and the interval is shown all the same.
    """
    return tuple(check_figure(name, gates, figures.get(name), why) for name in asked_figures(gates))


def check_figure(name: str, gates: Gates, found: Interval | None, why: str = "") -> Check:
    """Check one figure against its limit; without a figure it is not measured."""
    limit, at_least = _limits(gates)[name], name in AT_LEAST
    allowed = f"at {'least' if at_least else 'most'} {_print(name, limit)}"
    if found is None:
        needs = (
            "it needs `routing` and a price of the target" if name in _OF_ROUTING else "no figure was given"
        )
        return Check(name, "not measured", "not measured", allowed, why or needs)
    shown = f"{_print(name, found.estimate)} ({_print(name, found.low)} to {_print(name, found.high)})"
    sign = 1 if at_least else -1
    worst, best = sorted((sign * found.low, sign * found.high))
    if gates.mode == "point":
        holds = sign * found.estimate >= sign * limit
        reason = f"the estimate {'holds' if holds else 'misses'} the limit; judged by the point, as asked"
        return Check(name, "pass" if holds else "fail", shown, allowed, reason)
    if worst >= sign * limit:
        return Check(name, "pass", shown, allowed, "the pessimistic end holds the limit")
    if best < sign * limit:
        return Check(name, "fail", shown, allowed, "even the optimistic end misses the limit")
    side = "holds" if sign * found.estimate >= sign * limit else "misses"
    reason = f"the interval spans the limit, the estimate {side} it; more rows would decide"
    return Check(name, "inconclusive", shown, allowed, reason)


def _print(name: str, value: float) -> str:
    if name.endswith("_days"):
        return f"{value:.4g} days"
    return f"{value:.4g}" if name.partition(":")[0] in _NO_SHARE else f"{100 * value:.2f} %"
