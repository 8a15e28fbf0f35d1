"""What records say of a claim, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgekd.config.claims import Claims

Verdict = Literal["supported", "contradicted", "unsupported", "unchecked"]
VERDICTS: tuple[Verdict, ...] = ("unchecked", "supported", "unsupported", "contradicted")
"""From the one that no rule speaks of to the worst: a claim of several rules has the worst verdict."""
UNCHECKED, SUPPORTED, UNSUPPORTED, CONTRADICTED = range(4)
"""Places in `VERDICTS`: verdicts of many claims are an array of them."""

Action = Literal["keep", "weigh", "review", "reject"]
ACTIONS: tuple[Action, ...] = ("keep", "weigh", "review", "reject")
KEEP, WEIGH, REVIEW, REJECT = range(4)
Codes = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Checked:
    """What was said of claims.

    Attributes:
        verdicts: of each claim, a place in `VERDICTS`, shape [claim].
        rules: the name of the rule that gave the verdict, shape [claim]; empty where none speaks of it.
    """

    verdicts: Codes
    rules: tuple[str, ...]

    def count(self) -> Mapping[Verdict, int]:
        """Count claims by verdict.

        >>> Checked(np.array([1, 3, 1], np.int8), ("a", "a", "a")).count()["supported"]
        2
        """
        counts = np.bincount(self.verdicts, minlength=len(VERDICTS)).tolist()
        return dict(zip(VERDICTS, counts, strict=True))


@dataclass(frozen=True)
class Decided:
    """What becomes of claims.

    Attributes:
        actions: of each claim, a place in `ACTIONS`, shape [claim].
        trust: how much a target that rests on the claim counts, from 0 to 1, shape [claim].
    """

    actions: Codes
    trust: npt.NDArray[np.float32]

    def count(self) -> Mapping[Action, int]:
        """Count claims by what becomes of them."""
        counts = np.bincount(self.actions, minlength=len(ACTIONS)).tolist()
        return dict(zip(ACTIONS, counts, strict=True))


def decide_claims(verdicts: Codes, confidence: npt.NDArray[np.floating], settings: Claims) -> Decided:
    """Decide about claims by their verdicts and by the teacher's confidence in each, shape [claim].

    A contradicted claim is rejected. An unsupported one counts less where the teacher is confident, for then
    records that lack something are likelier than an error; else a person is to look at it, and until then
    nothing is learned from it.

    >>> from edgekd.config.claims import ClaimRule
    >>> settings = Claims(rules=(ClaimRule(name="sold", holds="true"),))
    >>> decide_claims(np.array([1, 2, 2, 3], np.int8), np.array([0.5, 0.95, 0.5, 0.99]), settings).trust
    array([1.  , 0.25, 0.  , 0.  ], dtype=float32)
    """
    is_unsupported, is_sure = verdicts == UNSUPPORTED, confidence >= settings.confident
    actions = np.full(len(verdicts), KEEP, np.int8)
    actions[is_unsupported & is_sure] = WEIGH
    actions[is_unsupported & ~is_sure] = REVIEW
    actions[verdicts == CONTRADICTED] = REJECT
    trust = np.array([1.0, settings.weight, 0.0, 0.0], np.float32)[actions]
    return Decided(actions, trust)
