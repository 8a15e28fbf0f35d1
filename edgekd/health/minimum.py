"""The figures that no release goes without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgekd.health.figure import WHOLE, Figure

MINIMUM = (
    "hallucination_rate",
    "teacher_preference_match",
    "escalation_recall",
    "fallback_rate",
    "ece",
    "data_age_p50_days",
    "data_age_p95_days",
    "best_checkpoint_score",
)
ADVICE = {
    "hallucination_rate": "edgekd claims figures, or people's verdicts",
    "teacher_preference_match": "edgekd shadow",
    "escalation_recall": "edgekd shadow",
    "fallback_rate": "--logs of the service",
    "ece": "a calibration_eval event, or a gate on it",
    "data_age_p50_days": "gates.data_age_p50_days, or edgekd refresh",
    "data_age_p95_days": "gates.data_age_p95_days, or edgekd refresh",
    "best_checkpoint_score": "edgekd run",
}
"""What gives each of them."""
_WHY: Mapping[str, str] = {
    "bad": " misses its target",
    "unsure": ": too few rows to say that it holds its target",
}


@dataclass(frozen=True)
class Release:
    """Whether a release has the least that it needs.

    Attributes:
        missing: Figures that are not known, with what gives them.
        failing: Those that miss their target, or have too few rows to say that they hold it.
        left_out: Those that mean nothing here, with the reason.
    """

    missing: tuple[str, ...]
    failing: tuple[str, ...]
    left_out: Mapping[str, str]

    @property
    def is_allowed(self) -> bool:
        """Whether all that applies is known and holds its target."""
        return not self.missing and not self.failing

    @property
    def lines(self) -> list[str]:
        """Say it in lines."""
        found = [f"not releasable: {name} is not known: {ADVICE[name]}" for name in self.missing]
        found += [f"not releasable: {words}" for words in self.failing]
        return found or ["releasable: the minimum set is known, and all of it holds its targets"]


def check_release(figures: Iterable[Figure], left_out: Mapping[str, str]) -> Release:
    """Hold figures against the minimum set; a figure counts if it is of all traffic or of any slice."""
    found: dict[str, list[Figure]] = {}
    for figure in figures:
        found.setdefault(figure.name, []).append(figure)
    needed = [name for name in MINIMUM if name not in left_out]
    missing = tuple(name for name in needed if name not in found)
    failing = tuple(
        (name if figure.slice == WHOLE else f"{name} of {figure.slice}") + _WHY[figure.state]
        for name in needed
        for figure in found.get(name, [])
        if figure.state in _WHY
    )
    return Release(missing, failing, left_out)
