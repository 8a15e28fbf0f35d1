"""Search the thresholds that hold for all answers: the setting that calls the teacher least."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt

from edgekd.evaluate.arrays import Flags
from edgekd.evaluate.classify.route_limits import lacking_of
from edgekd.evaluate.classify.route_settings import (
    TRIED,
    Counts,
    CriticalCut,
    Setting,
    Tried,
    columns_of,
    count_after,
    count_before,
)
from edgekd.evaluate.classify.route_view import View
from edgekd.stats.paired import paired_drop_bound

_CUTS = 120  # thresholds tried, at quantiles of the top probability
_CRITICAL_CUTS = 40  # the same for answers that are critical
_RISKS = (1.0, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)


def find_setting(view: View, most: float, planned: float) -> Setting:
    """Return the setting with the fewest calls whose drop is at most `most` by its bound.

    Where that leaves limits unproven, return the one of at most a share of `planned` calls that leaves
    the least missing, and of those the one with the fewest calls.
    """
    tried = list(_tables(view))
    joined = Tried(
        *(np.concatenate([getattr(part, name) for part in tried]) for name in ("table", "missed", "kept"))
    )
    n = int(view.drawn.sum())
    cheapest = _search(view, joined, most, n, by_limits=False)
    if not view.limits:
        return cheapest
    return _search(view, joined, most, max(cheapest.calls, int(planned * n)), by_limits=True)


def _search(view: View, tried: Tried, most: float, cap: int, *, by_limits: bool) -> Setting:
    """Return the setting of at most `cap` calls that holds and leaves least missing, then calls least."""
    n = int(view.drawn.sum())
    best, least = _most_careful(view, n), np.inf
    bound = cache(lambda lost, gained: paired_drop_bound(lost, gained, n)[1])
    for critical in _critical_cuts(view):
        both = tried.table.copy()
        for name in ("calls", "lost", "gained"):
            both[name] += getattr(critical, name)
        both["critical_prob"] = critical.prob
        drop = both["lost"] - both["gained"]
        lacking = lacking_of(view.limits, tried.kept + critical.kept) if by_limits else np.zeros(len(both))
        holds = (tried.missed <= critical.ahead).all(axis=1) & (drop <= most * n) & (both["calls"] <= cap)
        holds &= (lacking < least) | ((lacking == least) & (both["calls"] < best.calls))
        both, drop, lacking = both[holds], drop[holds], lacking[holds]
        for place in np.lexsort((both["max_prob"], drop, both["calls"], lacking)):
            one = Setting(*both[place].item())
            if bound(one.lost, one.gained) <= most:
                best, least = one, float(lacking[place])
                break
    return best


def _most_careful(view: View, n: int) -> Setting:
    """Return what is left where nothing holds: all of `n` calls, but for what is set by hand."""
    max_prob, refuse_below, margin = view.by_hand
    risk = 1.0 if max_prob is None or not view.of_critical else min(_RISKS)
    if refuse_below is None:
        refuse_below = max_prob if view.spares_calls else None
    threshold = 1.0 if max_prob is None else max_prob
    return Setting(n, 0, 0, threshold, refuse_below or 0.0, margin or 0.0, risk, 1.0)


def _tables(view: View) -> Iterator[Tried]:
    """Every combination of thresholds on answers that are not critical; `_critical_cuts` has the others.

    Sums over prefixes make each a few additions.
    """
    plain = ~view.is_critical_answer
    sure = view.top[view.open] if view.open.any() else np.zeros(1)
    cuts = np.unique(np.quantile(sure, np.linspace(0, 1, _CUTS), method="lower"))
    max_prob, refuse_below, _ = view.by_hand
    given = [cut for cut in (max_prob, refuse_below) if cut is not None and 0 < cut < 1]
    cuts = np.sort(np.concatenate([[0.0], cuts, given, [1.0]]))
    places = np.searchsorted(view.top, cuts, side="left")
    places[-1] = len(view.top)
    high, low = np.tril_indices(len(cuts))
    taken = np.ones(len(high), np.bool_) if view.can_refuse else low == 0
    if max_prob is not None:
        taken &= cuts[high] == max_prob
    if refuse_below is not None:
        taken &= cuts[low] == refuse_below
    elif view.spares_calls:
        taken = (low == high) & (cuts[high] < 1) if max_prob is None else taken & (low == high)
    high, low = high[taken], low[taken]
    for risk in _RISKS if view.of_critical else (1.0,):
        asked = (view.risk > risk) & plain
        refusable = ~asked & plain & view.open & view.may_refuse
        for margin in view.margins:
            stands = ~asked & plain & (view.lead >= margin)
            is_redundant = margin > 0 and 0.0 in view.margins
            acts = cuts[high] < (1 + margin) / 2 if is_redundant else np.ones(len(high), np.bool_)
            at, from_ = places[high[acts]], places[low[acts]]
            table = np.empty(len(at), TRIED)
            table["max_prob"], table["refuse_below"] = cuts[high[acts]], cuts[low[acts]]
            table["margin"], table["risk"], table["critical_prob"] = margin, risk, 0.0
            yield _count(view, table, stands, refusable, at, from_)


def _count(
    view: View, table: npt.NDArray[np.void], stands: Flags, refusable: Flags, at: Counts, from_: Counts
) -> Tried:
    """Fill in what comes of settings: rows stand from place `at` on, and are refused before `from_`."""
    stood = [count_after(stands & flags)[at] for flags in view.against(view.answer_hit)]
    refused = [count_before(refusable & flags)[from_] for flags in view.against(view.refuse_hit)]
    plain, here = ~view.is_critical_answer, view.drawn
    table["calls"] = (plain & here).sum() - count_after(stands & here)[at]
    table["calls"] -= count_before(refusable & here)[from_]
    table["lost"], table["gained"] = stood[0] + refused[0], stood[1] + refused[1]
    missed = [
        count_after(stands & rows & view.taught_hit)[at]
        + count_before(refusable & rows & view.taught_hit & ~view.refuse_hit)[from_]
        for rows in view.of_critical
    ]
    kept = [
        count_after(stands & limit.answered)[at]
        - count_after(stands & limit.taught)[at]
        + count_before(refusable & limit.refused)[from_]
        - count_before(refusable & limit.taught)[from_]
        for limit in view.limits
    ]
    return Tried(table, columns_of(missed, len(table)), columns_of(kept, len(table)))


def _critical_cuts(view: View) -> Iterator[CriticalCut]:
    """Each threshold on critical answers, from none that goes to the teacher to all of them."""
    tops = view.top[view.is_critical_answer & view.open]
    tops = tops if len(tops) else np.zeros(1)
    cuts = np.unique(np.quantile(tops, np.linspace(0, 1, _CRITICAL_CUTS), method="lower"))
    for cut in (*map(float, cuts), 1.0):
        stands = view.is_critical_answer & (view.top >= cut) & (cut < 1)
        lost, gained = (int((stands & flags).sum()) for flags in view.against(view.answer_hit))
        classes = [
            view.spare(stands & rows, int(rows.sum()), margin)
            for rows, margin in zip(view.of_critical, view.class_margins, strict=True)
        ]
        calls = int((view.is_critical_answer & ~stands & view.drawn).sum())
        kept = [int((stands & e.answered).sum() - (stands & e.taught).sum()) for e in view.limits]
        yield CriticalCut(cut, calls, lost, gained, np.array(classes, np.int64), np.array(kept, np.int64))
