"""What several raters together say of a row, and which rows another one must decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekd.curate.review.item import Judgment
from edgekd.errors import BadInputError, unknown_name
from edgekd.stats.raters import (
    MISSING,
    Level,
    RaterAgreement,
    Ratings,
    Weights,
    cohen_kappa,
    krippendorff_alpha,
)

How = Literal["agreed", "majority", "adjudicated", "single", "open"]


@dataclass(frozen=True)
class Decision:
    """What counts for a row.

    Attributes:
        row: id of the row.
        answer: what is right; None where raters differ and nobody has decided.
        how: all of several raters agree; more than half do; an adjudicator said so; one rater alone looked at
            it; or it is open, and goes to an adjudicator.
        votes: answers with how many raters gave each, the most first.
    """

    row: str
    answer: str | None
    how: How
    votes: tuple[tuple[str, int], ...]


def last_judgments(judgments: Sequence[Judgment]) -> list[Judgment]:
    """Return of each rater and row the last judgment, in the order of rows and raters as they come."""
    last: dict[tuple[str, str], Judgment] = {}
    for one in judgments:
        before = last.get((one.row, one.rater))
        if before is None or one.time >= before.time:
            last[one.row, one.rater] = one
    return list(last.values())


def decide_rows(judgments: Sequence[Judgment], adjudicators: Collection[str] = ()) -> list[Decision]:
    """Decide each row by its raters; where several adjudicators decided, the last of them.

    A rater who looks at a row again takes the first judgment back. More than half of the raters must agree:
    of two that differ neither is right, and of three that differ none.

    Raises:
        BadInputError: an adjudicator is named who has judged nothing.
    """
    known = {one.rater for one in judgments}
    for name in adjudicators:
        if name not in known:
            raise BadInputError(f"adjudicators: {unknown_name('rater', name, known)}")
    rows: dict[str, list[Judgment]] = {}
    for one in last_judgments(judgments):
        rows.setdefault(one.row, []).append(one)
    return [_decide(row, given, adjudicators) for row, given in rows.items()]


def _decide(row: str, given: Sequence[Judgment], adjudicators: Collection[str]) -> Decision:
    words = [one for one in given if one.rater in adjudicators]
    raters = [one.answer for one in given if one.rater not in adjudicators]
    votes = tuple(sorted(Counter(raters).items(), key=lambda vote: (-vote[1], vote[0])))
    if words:
        return Decision(row, max(words, key=lambda one: one.time).answer, "adjudicated", votes)
    answer, most = votes[0]
    if len(raters) == 1:
        return Decision(row, answer, "single", votes)
    if most == len(raters):
        return Decision(row, answer, "agreed", votes)
    if 2 * most > len(raters):
        return Decision(row, answer, "majority", votes)
    return Decision(row, None, "open", votes)


@dataclass(frozen=True)
class Agreeing:
    """How far raters agree.

    Attributes:
        alpha: of all raters.
        pairs: Cohen's kappa of every two raters who have rows in common, by their names.
        answers: the answers that were given, in their order.
    """

    alpha: RaterAgreement
    pairs: Mapping[tuple[str, str], RaterAgreement]
    answers: tuple[str, ...]


def measure_agreement(
    judgments: Sequence[Judgment], level: Level = "nominal", order: Sequence[str] = ()
) -> Agreeing:
    """Measure how far raters agree; `order` are the answers from lowest to highest, where they have one.

    Without an order of its own, answers that are numbers are ordered as numbers.

    Raises:
        BadInputError: no row was rated twice, an answer is not in the order, or a level needs numbers.
    """
    last = last_judgments(judgments)
    answers = _order_answers({one.answer for one in last}, level, order)
    places = {answer: place for place, answer in enumerate(answers)}
    rows = {row: place for place, row in enumerate(dict.fromkeys(one.row for one in last))}
    raters = sorted({one.rater for one in last})
    table: Ratings = np.full((len(raters), len(rows)), MISSING, np.int64)
    for one in last:
        table[raters.index(one.rater), rows[one.row]] = places[one.answer]
    values = (
        np.array([float(one) for one in answers])
        if level in ("interval", "ratio")
        else np.arange(len(answers))
    )
    weights: Weights = "none" if level == "nominal" else "linear" if level == "ordinal" else "quadratic"
    pairs = {
        (raters[one], raters[other]): cohen_kappa(table[one], table[other], len(answers), weights)
        for one in range(len(raters))
        for other in range(one + 1, len(raters))
        if ((table[one] != MISSING) & (table[other] != MISSING)).any()
    }
    return Agreeing(krippendorff_alpha(table, values, level), pairs, tuple(answers))


def _order_answers(answers: set[str], level: Level, order: Sequence[str]) -> list[str]:
    if order:
        if unknown := sorted(answers - set(order)):
            raise BadInputError(f"order: {unknown_name('answer', unknown[0], order)}")
        ordered = list(dict.fromkeys(order))
    else:
        ordered = sorted(answers)
    if level == "nominal":
        return ordered
    try:
        numbers = {answer: float(answer) for answer in ordered}
    except ValueError:
        if order and level == "ordinal":
            return ordered
        needs = "numbers" if level != "ordinal" else "numbers, or --order with the answers from low to high"
        raise BadInputError(f"level {level} needs answers that are {needs}; got {ordered[0]!r:.40}") from None
    return sorted(ordered, key=lambda answer: numbers[answer]) if not order else ordered
