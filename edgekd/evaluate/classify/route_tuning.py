"""Find the thresholds of a routing policy: the fewest calls to the teacher that hold the quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgekd.config import Slice
from edgekd.config.routing import Routing
from edgekd.evaluate.arrays import Flags
from edgekd.evaluate.classify.route_families import Family, Served, tune_families
from edgekd.evaluate.classify.route_limits import lacking_of
from edgekd.evaluate.classify.route_rows import TuningRows
from edgekd.evaluate.classify.route_search import find_setting
from edgekd.evaluate.classify.route_settings import Setting
from edgekd.evaluate.classify.route_view import View
from edgekd.evaluate.classify.slices import select_rows
from edgekd.stats.paired import paired_drop_bound

# In this order: of settings that answer alike the first is taken. Two labels of a softmax lie within a margin
# m only where the higher one is below (1 + m) / 2, so a margin is tried with thresholds below that alone.
_MARGINS = (0.0, 0.1, 0.2, 0.3, 0.04, 0.06, 0.08)


def tune_policy(
    rows: TuningRows,
    routing: Routing,
    slices: Sequence[Slice],
    masks: Mapping[str, Flags],
    *,
    plain: bool = False,
) -> dict[str, Any]:
    """Return the policy (see `edgekd.serving.route`) that calls the teacher least and holds the quality.

    Held is, on those rows that are traffic: the upper one-sided 95 % bound of the drop of the routed system
    against the teacher alone is at most `routing.quality` points; on all rows: of every critical class it
    finds as many as the teacher, or where one of `slices` gives the class a margin, so many that the bound of
    the drop is within it. Where nothing cheaper holds, everything goes to the teacher. As far as
    `routing.planned_fallback` goes, further calls are made where these rows then prove more of the floors and
    limits of `slices`, by 99.99 % bounds as `fit_bias` has them, and of the margins that are to be proven.
    Where `routing.low_value` alone says what is refused, such an answer is refused below the threshold below
    which another goes to the teacher. Rows of `routing.risky` slices always go to the teacher, and count as
    calls. Each family of answers gets a threshold and a margin of its own where that makes
    fewer calls and holds as much. Each slice that callers name gets the lowest higher threshold at which its
    own drop is within its margin. `masks` are of these rows. What the project sets by hand is kept, whether
    the quality holds or not.
    `plain` tries thresholds on the top probability alone.
    """
    chosen = select_rows(slices, masks, rows.truth, rows.labels, rows.traffic)
    risky = np.zeros(len(rows.truth), np.bool_)
    for name in routing.risky:
        risky |= masks[name]
    margins = (0.0,) if plain else _MARGINS if routing.margin is None else (routing.margin,)
    view = View(rows, routing, chosen, _class_margins(slices, masks, rows), margins, risky)
    best = find_setting(view, routing.quality / 100, routing.planned_fallback)
    families = _tune_families(view, best, routing.quality / 100)
    policy: dict[str, Any] = {"max_prob": _round_down(best.max_prob, routing.max_prob), "margin": best.margin}
    if best.refuse_below:
        policy |= {"refuse_below": _round_down(best.refuse_below, routing.refuse_below)}
    if routing.refuse_as is not None:
        policy |= {"refuse_as": routing.refuse_as}
    if routing.low_value:
        policy |= {"refusable": list(routing.low_value)}
    named_families = [
        _describe(family, routing.families[family.name].labels) for family in families if family.is_own
    ]
    if named_families:
        policy |= {"families": named_families}
    if routing.critical:
        policy |= {"critical": list(routing.critical), "risk": best.risk}
        policy |= {"critical_prob": _round_down(best.critical_prob)}
    allowed = {entry.name: (entry.margin or 0.0) / 100 for entry in slices}
    own = {
        name: _slice_threshold(view, best, masks[name], allowed[name], families) for name in routing.slices
    }
    least = _least_threshold(view, best, families)
    named = {name: _round_down(value) for name, value in own.items() if value > least}
    named |= {name: 1.0 for name in routing.risky} | routing.thresholds
    if named:
        policy |= {"slices": named}
    if routing.rules:
        policy |= {"rules": [rule.model_dump() for rule in routing.rules]}
    return policy


def _tune_families(view: View, one: Setting, most: float) -> list[Family]:
    """Return the families with what is best for each, where all other thresholds are those of `one`."""
    cut = one.critical_prob
    sure = view.is_critical_answer & (view.top >= cut) & (cut < 1)
    ahead = [
        view.spare(sure & rows, int(rows.sum()), margin)
        for rows, margin in zip(view.of_critical, view.class_margins, strict=True)
    ]

    def serve(families: Sequence[Family]) -> Served:
        stands, refused = view.outcome(one, families)
        answered = np.where(stands, view.answer_hit, view.taught_hit)
        hits = np.where(refused, view.refuse_hit, answered)
        lost, gained = (int(flags.sum()) for flags in view.against(hits))
        wrong = view.taught_hit & ~hits & ~view.is_critical_answer
        missed = [int((wrong & rows).sum()) for rows in view.of_critical]
        kept = [
            (stands & limit.answered).sum() + (refused & limit.refused).sum()
            - ((stands | refused) & limit.taught).sum()
            for limit in view.limits
        ]  # fmt: skip
        lacking = lacking_of(view.limits, np.array([kept], np.int64)) if kept else np.zeros(1)
        holds = all(count <= spare for count, spare in zip(missed, ahead, strict=True))
        holds = holds and paired_drop_bound(lost, gained, int(view.drawn.sum()))[1] <= most
        return Served(int((view.drawn & ~stands & ~refused).sum()), holds, float(lacking[0]))

    return tune_families(view.families, view.top, view.margins, serve, (one.max_prob, one.margin))


def _least_threshold(view: View, one: Setting, families: Sequence[Family]) -> float:
    """Return the lowest threshold of any answer: a slice's own must be above it to change anything."""
    own = [family.max_prob for family in families if family.max_prob is not None]
    return min([one.max_prob, *own, *([one.critical_prob] if view.of_critical else [])])


def _slice_threshold(
    view: View, one: Setting, mask: Flags, margin: float, families: Sequence[Family]
) -> float:
    """Return the lowest threshold, 0 or more, at which the slice's drop is within its margin."""
    rows = mask[view.order]
    wanted = int(view.taught_hit[rows].sum()) - margin * int(rows.sum())
    least = _least_threshold(view, one, families)
    for cut in np.unique(np.concatenate([[least], view.top[rows], [1.0]])):
        if cut >= least:
            stands, refused = view.outcome(one, families, float(cut))
            answered = np.where(stands, view.answer_hit, view.taught_hit)
            if np.where(refused, view.refuse_hit, answered)[rows].sum() >= wanted:
                return float(cut)
    return 1.0


def _describe(family: Family, labels: Sequence[str]) -> dict[str, Any]:
    """Write a family as the policy has it; a threshold or margin that is not there is that of all answers."""
    found: dict[str, Any] = {"labels": list(labels)}
    if family.max_prob is not None:
        found["max_prob"] = _round_down(family.max_prob, family.max_prob if family.by_hand[0] else None)
    return found if family.margin is None else {**found, "margin": family.margin}


def _class_margins(slices: Sequence[Slice], masks: Mapping[str, Flags], rows: TuningRows) -> dict[str, float]:
    """Return the smallest margin that a slice of all its rows gives each class."""
    found: dict[str, float] = {}
    for entry in slices:
        for name in entry.recall_of if entry.margin else ():
            if masks[entry.name][rows.truth == rows.labels.index(name)].all():
                found[name] = min(found.get(name, 1.0), (entry.margin or 0.0) / 100)
    return found


def _round_down(value: float, by_hand: float | None = None) -> float:
    """Round down to six digits, so that a row at the threshold stays above it; not what is set by hand."""
    return float(min(1.0, np.floor(value * 1e6) / 1e6)) if by_hand is None else by_hand
