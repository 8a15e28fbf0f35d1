"""Corrections that people make again and again, as rules for the routing policy.

Rules are found on one half of the corrected rows and confirmed on the other, for among many phrases some fit
by chance. Rows are split by a digest of their id, so that the same rows give the same rules.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from edgekd.data.normalise import normalise
from edgekd.errors import BadInputError
from edgekd.stats.proportion import exact_upper_bound

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_MOST_WORDS = 4
_CHANCE = 0.05  # that one proposal or more of all is wrong

Kind = Literal["rule", "risky"]


@dataclass(frozen=True)
class Corrected:
    """A row that a person decided: what the model answered, and what is right."""

    id: str
    text: str
    answer: str
    right: str
    slice: str = ""


@dataclass(frozen=True)
class Proposal:
    """A setting of `routing` that corrections speak for.

    Attributes:
        kind: `rule` answers a phrase above the student; `risky` sends a slice to the teacher.
        phrase: what a text holds, as whole words; empty for a slice.
        label: what is answered then; empty for a slice.
        slice: the slice; empty for a phrase.
        corrections: how many rows a person corrected so, over both halves.
        rows: how many reviewed rows it would change, over both halves.
        least: of the rows that it is for, the share for which it is right, at least, on the half that
            confirms it.
    """

    kind: Kind
    phrase: str
    label: str
    slice: str
    corrections: int
    rows: int
    least: float


def propose_rules(
    rows: Sequence[Corrected], corrections: int = 3, precision: float = 0.8, risky: float = 0.3
) -> list[Proposal]:
    """Propose settings of `routing` from rows that people decided; the most corrections come first.

    A phrase of one to four words becomes a rule where one half has at least so many `corrections` to one
    label and, of all rows with the phrase, the share with that label is shown on the other half to be at
    least `precision`. A slice is
    proposed as risky where the share of wrong answers among its rows is shown to be at least `risky`. Rows
    that people look at are chosen for being hard: the shares are of these, not of traffic.

    Raises:
        BadInputError: a share is none, or corrections are below one.
    """
    for name, share in (("precision", precision), ("risky", risky)):
        if not 0 < share < 1:
            raise BadInputError(f"{name}: expected a share between 0 and 1, got {share:g}")
    if corrections < 1:
        raise BadInputError(f"corrections: expected 1 or more, got {corrections}")
    halves: tuple[list[Corrected], list[Corrected]] = ([], [])
    for row in rows:
        halves[
            hashlib.blake2b(row.id.encode("utf-8", "surrogatepass"), digest_size=1).digest()[0] % 2
        ].append(row)
    found, confirming = halves
    phrases = _find_phrases(found, corrections, precision)
    slices = _find_slices(found, corrections, risky)
    # Phrases that stand in the very same rows are one guess, and share one chance to be wrong.
    guesses = {
        (label, frozenset(row.id for row in found if phrase in _phrases_of(row.text)))
        for phrase, label in phrases
    }
    candidates = len(guesses) + len(slices)
    proposals = [
        one
        for phrase, label in phrases
        if (one := _confirm_phrase(phrase, label, rows, confirming, (precision, candidates))) is not None
    ]
    proposals = _leave_out_repeated(proposals)
    proposals += [
        one
        for name in slices
        if (one := _confirm_slice(name, rows, confirming, (risky, candidates))) is not None
    ]
    return sorted(proposals, key=lambda one: (-one.corrections, one.kind, one.phrase, one.slice))


def list_repeated(rows: Sequence[Corrected], corrections: int = 3) -> list[tuple[str, str, int]]:
    """List what was answered, what was right, and how often, where that was at least so often."""
    counts = Counter((row.answer, row.right) for row in rows if row.answer != row.right)
    return [(one, other, count) for (one, other), count in counts.most_common() if count >= corrections]


@lru_cache(maxsize=1 << 16)
def _phrases_of(text: str) -> frozenset[str]:
    words = _WORD.findall(normalise(text))
    return frozenset(
        " ".join(words[start : start + count])
        for count in range(1, _MOST_WORDS + 1)
        for start in range(len(words) - count + 1)
    )


def _find_phrases(rows: Sequence[Corrected], corrections: int, precision: float) -> list[tuple[str, str]]:
    """Find phrases on the first half that were corrected often enough, each with its label."""
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    mended: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for phrase in _phrases_of(row.text):
            labels[phrase][row.right] += 1
            mended[phrase, row.right] += row.answer != row.right
    return [
        (phrase, label)
        for (phrase, label), count in mended.items()
        if count >= corrections and labels[phrase][label] / labels[phrase].total() >= precision
    ]


def _find_slices(rows: Sequence[Corrected], corrections: int, risky: float) -> list[str]:
    wrong, total = Counter[str](), Counter[str]()
    for row in rows:
        total[row.slice] += 1
        wrong[row.slice] += row.answer != row.right
    return [
        name for name in total if name and wrong[name] >= corrections and wrong[name] / total[name] >= risky
    ]


def _confirm_phrase(
    phrase: str,
    label: str,
    rows: Sequence[Corrected],
    confirming: Sequence[Corrected],
    limits: tuple[float, int],
) -> Proposal | None:
    mine = [row for row in confirming if phrase in _phrases_of(row.text)]
    least = _lower_bound(sum(row.right == label for row in mine), len(mine), limits[1])
    if least < limits[0]:
        return None
    whole = [row for row in rows if phrase in _phrases_of(row.text)]
    corrections = sum(row.right == label != row.answer for row in whole)
    changed = sum(row.answer != label for row in whole)
    return Proposal("rule", phrase, label, "", corrections, changed, least)


def _confirm_slice(
    name: str, rows: Sequence[Corrected], confirming: Sequence[Corrected], limits: tuple[float, int]
) -> Proposal | None:
    mine = [row for row in confirming if row.slice == name]
    least = _lower_bound(sum(row.right != row.answer for row in mine), len(mine), limits[1])
    if least < limits[0]:
        return None
    whole = [row for row in rows if row.slice == name]
    return Proposal("risky", "", "", name, sum(row.right != row.answer for row in whole), len(whole), least)


def _lower_bound(hits: int, n: int, candidates: int) -> float:
    """Return the exact lower bound of a share where so many candidates are looked at, 0 without a row."""
    return 1 - exact_upper_bound(n - hits, n, 1 - _CHANCE / candidates) if n else 0.0


def _leave_out_repeated(proposals: Iterable[Proposal]) -> list[Proposal]:
    """Of phrases that hold one another, with one label, keep the one that mends most rows.

    Where they mend as many, the longest one is the most careful: it stands in the fewest other texts.
    """
    found: list[Proposal] = []
    for one in sorted(proposals, key=lambda one: (-one.corrections, -len(one.phrase.split()), one.phrase)):
        words = f" {one.phrase} "
        if not any(
            other.label == one.label and (f" {other.phrase} " in words or words in f" {other.phrase} ")
            for other in found
        ):
            found.append(one)
    return found
