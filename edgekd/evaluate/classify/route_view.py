"""Rows from the least sure to the surest, as thresholds of a routing policy cut them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekd.config.routing import Routing
from edgekd.evaluate.arrays import Flags
from edgekd.evaluate.classify.route_families import Family
from edgekd.evaluate.classify.route_limits import count_within, find_limits
from edgekd.evaluate.classify.route_rows import TuningRows
from edgekd.evaluate.classify.route_settings import Setting
from edgekd.evaluate.classify.slices import ClassRows

_NEVER = -1.0  # how sure the student is where a row goes to the teacher at every threshold


class View:
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

    def spare(self, stands: Flags, n: int, margin: float | None) -> int:
        """Return how many hits a class of `n` rows may yet lose where these critical answers stand."""
        lost = int((stands & self.taught_hit & ~self.answer_hit).sum())
        gained = int((stands & self.answer_hit & ~self.taught_hit).sum())
        within = 0 if margin is None else count_within(margin, gained, n)
        return max(gained, within - 1) - lost

    def against(self, hits: Flags) -> tuple[Flags, Flags]:
        """Return which rows that are traffic lose a hit against the teacher, and which gain one."""
        return self.taught_hit & ~hits & self.drawn, hits & ~self.taught_hit & self.drawn

    def outcome(self, one: Setting, families: Sequence[Family], least: float = 0.0) -> tuple[Flags, Flags]:
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
