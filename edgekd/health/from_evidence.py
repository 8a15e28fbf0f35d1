"""Figures of health as the gate saw them, on the test rows, when a version was promoted."""

from __future__ import annotations

from collections.abc import Iterator

from edgekd.evaluate.result import SliceResult
from edgekd.gate.evidence import VariantEvidence
from edgekd.health.figure import Figure, Group, Target
from edgekd.stats.interval import Interval

_SOURCE = "test rows, when it was promoted"
_GROUPS: dict[str, Group] = {
    "teacher_preference_match": "quality",
    "human_win_rate": "quality",
    "hallucination_rate": "quality",
    "confident_error_rate": "safety",
    "fallback_rate": "traffic",
    "ece": "training",
    "brier": "training",
    "data_age_p50_days": "data",
    "data_age_p95_days": "data",
}
_OF_METRICS: dict[str, tuple[Group, str]] = {
    "recall": ("safety", "escalation_recall"),
    "false_alarm": ("safety", "false_alarm_rate"),
}
"""Metrics whose figures have a name of their own; another's is the metric's."""


def figures_from_evidence(evidence: VariantEvidence) -> Iterator[Figure]:
    """Return what the gate judged of a promoted variant: figures with limits, and each slice's value."""
    for name, found in evidence.figures.items():
        if name in _GROUPS:
            yield _figure(_GROUPS[name], name, "overall", found, None, None)
    for entry in evidence.judged:
        if entry.value is not None:
            group, name = _OF_METRICS.get(entry.metric, ("quality", entry.metric))
            yield _figure(group, name, entry.name, entry.value, entry.n, _target(entry))


def _figure(
    group: Group, name: str, slice_: str, found: Interval, n: int | None, target: Target | None
) -> Figure:
    return Figure(group, name, slice_, found.estimate, found.low, found.high, _SOURCE, None, n, target)


def _target(entry: SliceResult) -> Target | None:
    if entry.at_most is not None:
        return Target(entry.at_most, at_most=True)
    return None if entry.at_least is None else Target(entry.at_least, at_most=False)
