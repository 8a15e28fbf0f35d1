"""Judge a routing policy: what student and teacher answer together, and how often the teacher is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgekd.errors import unknown_name
from edgekd.evaluate.arrays import Biases, Flags, Labels, Scores
from edgekd.evaluate.classify.classes import find_confusions, judge_classes
from edgekd.evaluate.classify.scorer import CLASS_SCORER
from edgekd.evaluate.judge import judge_slices
from edgekd.evaluate.record import Record
from edgekd.evaluate.result import ClassResult, Confusion, SliceResult
from edgekd.evaluate.scorer import JudgedRows
from edgekd.serving.route import INCUMBENT, REFUSE, TEACHER, Policy
from edgekd.stats.interval import Interval
from edgekd.stats.proportion import wilson_interval


@dataclass(frozen=True)
class RoutedSlice(Record):
    """One slice of the routed system: its quality, and the share of its rows sent on or refused.

    `kept` is the share that stays with the version before; None where the policy leaves it none.
    """

    quality: SliceResult
    fallback: Interval | None
    refused: Interval | None
    kept: Interval | None = None


@dataclass(frozen=True)
class RoutingResult(Record):
    """How one artifact's policy does on the rows of one split."""

    subject: str
    policy: Mapping[str, Any]
    slices: tuple[RoutedSlice, ...]
    classes: tuple[ClassResult, ...] = ()
    confusions: tuple[Confusion, ...] = ()

    def slice_named(self, name: str) -> RoutedSlice:
        """Return one slice by its name.

        Raises:
            KeyError: with near matches, if there is none.
        """
        for entry in self.slices:
            if entry.quality.name == name:
                return entry
        raise KeyError(unknown_name("slice", name, (entry.quality.name for entry in self.slices)))


@dataclass(frozen=True, eq=False)
class Routed:
    """What becomes of each row: the system's label (-1: refused without one), and where it came from."""

    labels: Labels
    to_teacher: Flags
    refused: Flags
    to_incumbent: Flags


def route_rows(
    policy: Mapping[str, Any],
    labels: Sequence[str],
    texts: Sequence[str],
    probabilities: Scores,
    taught: Labels,
    masks: Mapping[str, Flags],
    bias: Biases | None = None,
    held: Routed | None = None,
) -> Routed:
    """Send each row through the policy as the artifact's own loader does, with its `bias` [label].

    `probabilities` are the artifact's calibrated ones, `taught` the teacher's answers, and `held` what the
    version serves that some slices stay with. A caller names those slices of the policy that a row is in.
    """
    opened = Policy(dict(policy), labels, bias)
    kept = policy.get("incumbent", {}).get("slices", [])
    names = [name for name in (*policy.get("slices", {}), *kept) if name in masks]
    place = {label: index for index, label in enumerate(labels)}
    answers = np.array(taught)
    to_teacher, refused, to_incumbent = (np.zeros(len(texts), dtype=np.bool_) for _ in range(3))
    for row, (text, table) in enumerate(zip(texts, probabilities, strict=True)):
        route = opened.decide(text, table, [name for name in names if masks[name][row]])
        if route.action == TEACHER:
            to_teacher[row] = True
        elif route.action == INCUMBENT:
            assert held is not None, "a policy that names a version is judged with its answers"
            to_incumbent[row], answers[row] = True, held.labels[row]
            to_teacher[row], refused[row] = held.to_teacher[row], held.refused[row]
        else:
            refused[row] = route.action == REFUSE
            answers[row] = place.get(route.label, -1)
    return Routed(answers, to_teacher, refused, to_incumbent)


def judge_routing(
    subject: str, policy: Mapping[str, Any], routed: Routed, taught: Labels, rows: JudgedRows
) -> RoutingResult:
    """Judge the routed system slice by slice, against the teacher alone, with the gate's intervals.

    A slice that always goes to the teacher loses nothing against it, by what it is: its drop has no interval.
    """
    found = []
    chosen = CLASS_SCORER.select(rows)
    weights = CLASS_SCORER.weigh(rows)
    results = judge_slices(chosen, routed.labels, {"teacher": taught}, rows, weights)
    held = bool(policy.get("incumbent"))
    for part, quality in zip(chosen, results, strict=True):
        shares = (
            wilson_interval(int(flags[part.rows].sum()), total) if (total := int(part.rows.sum())) else None
            for flags in (routed.to_teacher, routed.refused, *((routed.to_incumbent,) if held else ()))
        )
        if _is_taught(policy, part.slice.name):
            quality = replace(quality, drops=tuple(replace(d, low=0.0, high=0.0) for d in quality.drops))
        found.append(RoutedSlice(quality, *shares))
    return RoutingResult(
        subject,
        dict(policy),
        tuple(found),
        judge_classes(routed.labels, taught, rows.truth, rows.outputs, rows.traffic),
        find_confusions(routed.labels, rows.truth, rows.outputs),
    )


def _is_taught(policy: Mapping[str, Any], name: str) -> bool:
    """Whether every row of a slice goes to the teacher: no rule stands above, no probability is enough."""
    return not policy.get("rules") and policy.get("slices", {}).get(name, 0.0) >= 1
