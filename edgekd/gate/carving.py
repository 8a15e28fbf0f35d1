"""Which slices go to the teacher, chosen on validation rows before any test row is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from edgekd.evaluate.result import SliceResult
from edgekd.gate.checks import check_slices

_ERROR = 0.05  # of one proof
_STAYING = 0.5  # largest chance that any of the slices beyond their margins is not carved out


def choose_carved(results: Sequence[SliceResult], allowed: Collection[str]) -> tuple[str, ...]:
    """Name those of the `allowed` slices that the teacher shall answer, from results on validation rows.

    A slice of tier `prove` stays with the student only where these rows prove it, and a watched one where its
    estimated drop is within its margin. The test rows judge what stays, once.

    Test rows wrongly prove a slice in at most 5 % of cases, whatever was chosen. But where most slices beyond
    their margins are carved out, most runs promote, and of these promotions, too, at most 5 % are to hold a
    slice beyond its margin. With k slices of tier `prove` allowed, each must be proven here at a level of
    1 - min(5 %, 50 % / k). Then a slice beyond its margin stays, and is wrongly proven by the test rows as
    well, in at most 50 % * 5 % = 2.5 % of runs, while at least 50 % of runs carve out all of them and
    promote, if nothing else stands in their way: 2.5 of 50 are 5 %. Up to k = 10 the level is the usual
    95 %. A floor is proven at 95 %.
    """
    eligible = [result for result in results if _slice(result) in allowed]
    proofs = sum(result.tier == "prove" for result in eligible)
    level = 1 - min(_ERROR, _STAYING / max(1, proofs))
    leaving = {_slice(result) for result in eligible if not _may_stay(result, level)}
    return tuple(name for name in dict.fromkeys(map(_slice, results)) if name in leaving)


def list_carved(
    policy: Mapping[str, Any], allowed: Collection[str], risky: Collection[str]
) -> tuple[str, ...]:
    """Name the slices that a policy has carved out: those allowed that always go to somebody else."""
    always = [name for name, threshold in policy.get("slices", {}).items() if threshold >= 1]
    always += policy.get("incumbent", {}).get("slices", [])
    return tuple(name for name in always if name in allowed and name not in risky)


def _may_stay(result: SliceResult, level: float) -> bool:
    drops = tuple(drop.at(level) for drop in result.drops)
    checks = check_slices([replace(result, drops=drops)])
    if any(check.status in ("fail", "inconclusive", "not measured") for check in checks):
        return False
    drop = result.drop_from("teacher")
    return drop is None or result.margin is None or drop.estimate <= result.margin


def _slice(result: SliceResult) -> str:
    """Name the slice that a result is of; one of several classes has the class after a colon."""
    return result.name.partition(":")[0]
