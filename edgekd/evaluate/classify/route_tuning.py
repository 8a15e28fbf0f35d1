"""Find the thresholds of a routing policy: the fewest calls to the teacher that hold the quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekd.config import Slice
from edgekd.config.routing import Routing
from edgekd.evaluate.arrays import Flags
from edgekd.evaluate.classify.route_families import Family, Served, tune_families
from edgekd.evaluate.classify.route_limits import count_within, find_limits, lacking_of
from edgekd.evaluate.classify.route_rows import TuningRows
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
from edgekd.evaluate.classify.slices import ClassRows, select_rows
from edgekd.stats.paired import paired_drop_bound

_CUTS = 120  # thresholds tried, at quantiles of the top probability
_CRITICAL_CUTS = 40  # the same for answers that are critical
# In this order: of settings that answer alike the first is taken. Two labels of a softmax lie within a margin
# m only where the higher one is below (1 + m) / 2, so a margin is tried with thresholds below that alone.
_MARGINS = (0.0, 0.1, 0.2, 0.3, 0.04, 0.06, 0.08)
_RISKS = (1.0, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
_NEVER = -1.0  # how sure the student is where a row goes to the teacher at every threshold


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
    view = _View(rows, routing, chosen, _class_margins(slices, masks, rows), margins, risky)
    best = view.best(routing.quality / 100, routing.planned_fallback)
    families = view.tune_families(best, routing.quality / 100)
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
    own = {name: view.slice_threshold(best, masks[name], allowed[name], families) for name in routing.slices}
    least = view.least_threshold(best, families)
    named = {name: _round_down(value) for name, value in own.items() if value > least}
    named |= {name: 1.0 for name in routing.risky} | routing.thresholds
    if named:
        policy |= {"slices": named}
    if routing.rules:
        policy |= {"rules": [rule.model_dump() for rule in routing.rules]}
    return policy


class _View:
    """Rows from the least sure to the surest, with what each outcome would win or lose."""

    def __init__(
        self,
        rows: TuningRows,
        routing: Routing,
        limited: Sequence[ClassRows],
        class_margins: Mapping[str, float],
        margins: Sequence[float],
        risky: Flags,
    ) -> None:
        self.margins = margins
        self.class_margins = [class_margins.get(name) for name in routing.critical]
        given = rows.answers
        chosen = np.take_along_axis(rows.probabilities, given[:, None], axis=1)[:, 0]
        chosen[risky] = _NEVER
        order = np.argsort(chosen, kind="stable")
        table = rows.probabilities[order]
        self.order, self.top = order, chosen[order]
        self.open = self.top > _NEVER
        answers, taught, truth = given[order], rows.taught[order], rows.truth[order]
        self.drawn = np.ones(len(order), np.bool_) if rows.traffic is None else rows.traffic[order]
        others = table.copy()
        np.put_along_axis(others, answers[:, None], 0.0, axis=1)
        self.lead = self.top - others.max(axis=1)
        self.taught_hit = taught == truth
        self.answer_hit = answers == truth
        self.by_hand = routing.max_prob, routing.refuse_below, routing.margin
        self.can_refuse = routing.refuse_as is not None or bool(routing.low_value)
        # No refusal is a hit then: it is chosen in the teacher's place, not because it is right.
        self.spares_calls = bool(routing.low_value) and routing.refuse_as is None
        low = [rows.labels.index(name) for name in routing.low_value]
        self.may_refuse = np.isin(answers, low) if low else np.ones(len(order), np.bool_)
        self.families = [
            Family(
                name,
                np.isin(answers, [rows.labels.index(label) for label in family.labels]),
                family.max_prob,
                family.margin,
                (family.max_prob is not None, family.margin is not None),
            )
            for name, family in routing.families.items()
        ]
        refusal = rows.labels.index(routing.refuse_as) if routing.refuse_as is not None else -1
        self.refuse_hit = truth == refusal
        critical = [rows.labels.index(name) for name in routing.critical]
        self.is_critical_answer = np.isin(answers, critical)
        self.risk = table[:, critical].sum(axis=1) if critical else np.zeros(len(table))
        self.of_critical = [truth == label for label in critical]
        self.limits = find_limits(limited, rows.truth, given, rows.taught, refusal, order)

    def best(self, most: float, planned: float) -> Setting:
        """Return the setting with the fewest calls whose drop is at most `most` by its bound.

        Where that leaves limits unproven, return the one of at most a share of `planned` calls that leaves
        the least missing, and of those the one with the fewest calls.
        """
        tried = list(self._tables())
        joined = Tried(
            *(np.concatenate([getattr(part, name) for part in tried]) for name in ("table", "missed", "kept"))
        )
        n = int(self.drawn.sum())
        cheapest = self._search(joined, most, n, by_limits=False)
        if not self.limits:
            return cheapest
        return self._search(joined, most, max(cheapest.calls, int(planned * n)), by_limits=True)

    def _search(self, tried: Tried, most: float, cap: int, *, by_limits: bool) -> Setting:
        """Return the setting of at most `cap` calls that holds and leaves least missing, then calls least."""
        n = int(self.drawn.sum())
        best, least = self._most_careful(n), np.inf
        bound = cache(lambda lost, gained: paired_drop_bound(lost, gained, n)[1])
        for critical in self._critical_cuts():
            both = tried.table.copy()
            for name in ("calls", "lost", "gained"):
                both[name] += getattr(critical, name)
            both["critical_prob"] = critical.prob
            drop = both["lost"] - both["gained"]
            lacking = (
                lacking_of(self.limits, tried.kept + critical.kept) if by_limits else np.zeros(len(both))
            )
            holds = (tried.missed <= critical.ahead).all(axis=1) & (drop <= most * n) & (both["calls"] <= cap)
            holds &= (lacking < least) | ((lacking == least) & (both["calls"] < best.calls))
            both, drop, lacking = both[holds], drop[holds], lacking[holds]
            for place in np.lexsort((both["max_prob"], drop, both["calls"], lacking)):
                one = Setting(*both[place].item())
                if bound(one.lost, one.gained) <= most:
                    best, least = one, float(lacking[place])
                    break
        return best

    def _most_careful(self, n: int) -> Setting:
        """Return what is left where nothing holds: all of `n` calls, but for what is set by hand."""
        max_prob, refuse_below, margin = self.by_hand
        risk = 1.0 if max_prob is None or not self.of_critical else min(_RISKS)
        if refuse_below is None:
            refuse_below = max_prob if self.spares_calls else None
        threshold = 1.0 if max_prob is None else max_prob
        return Setting(n, 0, 0, threshold, refuse_below or 0.0, margin or 0.0, risk, 1.0)

    def _tables(self) -> Iterator[Tried]:
        """Every combination of thresholds on answers that are not critical; `_critical_cuts` has the others.

        Sums over prefixes make each a few additions.
        """
        plain = ~self.is_critical_answer
        sure = self.top[self.open] if self.open.any() else np.zeros(1)
        cuts = np.unique(np.quantile(sure, np.linspace(0, 1, _CUTS), method="lower"))
        max_prob, refuse_below, _ = self.by_hand
        given = [cut for cut in (max_prob, refuse_below) if cut is not None and 0 < cut < 1]
        cuts = np.sort(np.concatenate([[0.0], cuts, given, [1.0]]))
        places = np.searchsorted(self.top, cuts, side="left")
        places[-1] = len(self.top)
        high, low = np.tril_indices(len(cuts))
        taken = np.ones(len(high), np.bool_) if self.can_refuse else low == 0
        if max_prob is not None:
            taken &= cuts[high] == max_prob
        if refuse_below is not None:
            taken &= cuts[low] == refuse_below
        elif self.spares_calls:
            taken = (low == high) & (cuts[high] < 1) if max_prob is None else taken & (low == high)
        high, low = high[taken], low[taken]
        for risk in _RISKS if self.of_critical else (1.0,):
            asked = (self.risk > risk) & plain
            refusable = ~asked & plain & self.open & self.may_refuse
            for margin in self.margins:
                stands = ~asked & plain & (self.lead >= margin)
                is_redundant = margin > 0 and 0.0 in self.margins
                acts = cuts[high] < (1 + margin) / 2 if is_redundant else np.ones(len(high), np.bool_)
                at, from_ = places[high[acts]], places[low[acts]]
                table = np.empty(len(at), TRIED)
                table["max_prob"], table["refuse_below"] = cuts[high[acts]], cuts[low[acts]]
                table["margin"], table["risk"], table["critical_prob"] = margin, risk, 0.0
                yield self._count(table, stands, refusable, at, from_)

    def _count(
        self, table: npt.NDArray[np.void], stands: Flags, refusable: Flags, at: Counts, from_: Counts
    ) -> Tried:
        """Fill in what comes of settings: rows stand from place `at` on, and are refused before `from_`."""
        stood = [count_after(stands & flags)[at] for flags in self._against(self.answer_hit)]
        refused = [count_before(refusable & flags)[from_] for flags in self._against(self.refuse_hit)]
        plain, here = ~self.is_critical_answer, self.drawn
        table["calls"] = (plain & here).sum() - count_after(stands & here)[at]
        table["calls"] -= count_before(refusable & here)[from_]
        table["lost"], table["gained"] = stood[0] + refused[0], stood[1] + refused[1]
        missed = [
            count_after(stands & rows & self.taught_hit)[at]
            + count_before(refusable & rows & self.taught_hit & ~self.refuse_hit)[from_]
            for rows in self.of_critical
        ]
        kept = [
            count_after(stands & limit.answered)[at]
            - count_after(stands & limit.taught)[at]
            + count_before(refusable & limit.refused)[from_]
            - count_before(refusable & limit.taught)[from_]
            for limit in self.limits
        ]
        return Tried(table, columns_of(missed, len(table)), columns_of(kept, len(table)))

    def _critical_cuts(self) -> Iterator[CriticalCut]:
        """Each threshold on critical answers, from none that goes to the teacher to all of them."""
        tops = self.top[self.is_critical_answer & self.open]
        tops = tops if len(tops) else np.zeros(1)
        cuts = np.unique(np.quantile(tops, np.linspace(0, 1, _CRITICAL_CUTS), method="lower"))
        for cut in (*map(float, cuts), 1.0):
            stands = self.is_critical_answer & (self.top >= cut) & (cut < 1)
            lost, gained = (int((stands & flags).sum()) for flags in self._against(self.answer_hit))
            classes = [
                self._spare(stands & rows, int(rows.sum()), margin)
                for rows, margin in zip(self.of_critical, self.class_margins, strict=True)
            ]
            calls = int((self.is_critical_answer & ~stands & self.drawn).sum())
            kept = [int((stands & e.answered).sum() - (stands & e.taught).sum()) for e in self.limits]
            yield CriticalCut(cut, calls, lost, gained, np.array(classes, np.int64), np.array(kept, np.int64))

    def _spare(self, stands: Flags, n: int, margin: float | None) -> int:
        """Return how many hits a class of `n` rows may yet lose where these critical answers stand."""
        lost = int((stands & self.taught_hit & ~self.answer_hit).sum())
        gained = int((stands & self.answer_hit & ~self.taught_hit).sum())
        within = 0 if margin is None else count_within(margin, gained, n)
        return max(gained, within - 1) - lost

    def _against(self, hits: Flags) -> tuple[Flags, Flags]:
        return self.taught_hit & ~hits & self.drawn, hits & ~self.taught_hit & self.drawn

    def _outcome(self, one: Setting, families: Sequence[Family], least: float = 0.0) -> tuple[Flags, Flags]:
        """Say which rows' answers stand, and which are refused; `least` is a slice's own threshold."""
        critical = self.is_critical_answer
        max_prob, margin = np.full(len(self.top), one.max_prob), np.full(len(self.top), one.margin)
        for family in families:
            for own, of_rows in ((family.max_prob, max_prob), (family.margin, margin)):
                if own is not None:
                    of_rows[family.rows] = own
        asked = (self.risk > one.risk) & ~critical
        refused = ~asked & ~critical & (self.top < one.refuse_below) & self.open & self.may_refuse
        needed = np.maximum(np.where(critical, one.critical_prob, max_prob), least)
        stands = ~asked & ~refused & (self.top >= needed) & (needed < 1)
        return stands & ((self.lead >= margin) | critical), refused

    def tune_families(self, one: Setting, most: float) -> list[Family]:
        """Return the families with what is best for each, where all other thresholds are those of `one`."""
        cut = one.critical_prob
        sure = self.is_critical_answer & (self.top >= cut) & (cut < 1)
        ahead = [
            self._spare(sure & rows, int(rows.sum()), margin)
            for rows, margin in zip(self.of_critical, self.class_margins, strict=True)
        ]

        def serve(families: Sequence[Family]) -> Served:
            stands, refused = self._outcome(one, families)
            answered = np.where(stands, self.answer_hit, self.taught_hit)
            hits = np.where(refused, self.refuse_hit, answered)
            lost, gained = (int(flags.sum()) for flags in self._against(hits))
            wrong = self.taught_hit & ~hits & ~self.is_critical_answer
            missed = [int((wrong & rows).sum()) for rows in self.of_critical]
            kept = [
                (stands & limit.answered).sum() + (refused & limit.refused).sum()
                - ((stands | refused) & limit.taught).sum()
                for limit in self.limits
            ]  # fmt: skip
            lacking = lacking_of(self.limits, np.array([kept], np.int64)) if kept else np.zeros(1)
            holds = all(count <= spare for count, spare in zip(missed, ahead, strict=True))
            holds = holds and paired_drop_bound(lost, gained, int(self.drawn.sum()))[1] <= most
            return Served(int((self.drawn & ~stands & ~refused).sum()), holds, float(lacking[0]))

        return tune_families(self.families, self.top, self.margins, serve, (one.max_prob, one.margin))

    def least_threshold(self, one: Setting, families: Sequence[Family]) -> float:
        """Return the lowest threshold of any answer: a slice's own must be above it to change anything."""
        own = [family.max_prob for family in families if family.max_prob is not None]
        return min([one.max_prob, *own, *([one.critical_prob] if self.of_critical else [])])

    def slice_threshold(self, one: Setting, mask: Flags, margin: float, families: Sequence[Family]) -> float:
        """Return the lowest threshold, 0 or more, at which the slice's drop is within its margin."""
        rows = mask[self.order]
        wanted = int(self.taught_hit[rows].sum()) - margin * int(rows.sum())
        least = self.least_threshold(one, families)
        for cut in np.unique(np.concatenate([[least], self.top[rows], [1.0]])):
            if cut >= least:
                stands, refused = self._outcome(one, families, float(cut))
                answered = np.where(stands, self.answer_hit, self.taught_hit)
                if np.where(refused, self.refuse_hit, answered)[rows].sum() >= wanted:
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
