"""What can be said of a project before anything is trained: its rows, and what they can prove."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from edgekd.config import Slice
from edgekd.data.shared import SharedTexts, describe_shared
from edgekd.data.slices import select_rows, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.arrays import Flags
from edgekd.gate.provable import TYPICAL, Proof, Rates, prove_ceiling, prove_floor, prove_margin
from edgekd.pipeline.context import Context

_NEVER = ("out of reach", "impossible")


@dataclass(frozen=True)
class Preflight:
    """Rows per split, classes, repeated texts, rows per slice, and each proof that is asked for."""

    counts: Mapping[str, int]
    classes: int
    fewest: tuple[str, int]
    """The class with the fewest training rows, and their number."""
    shared: SharedTexts
    rows: Mapping[str, int]
    """Test rows of each slice."""
    rates: Rates
    proofs: tuple[Proof, ...] = field(default=())

    @property
    def failing(self) -> tuple[Proof, ...]:
        """The proofs that these rows cannot give."""
        return tuple(proof for proof in self.proofs if proof.status in _NEVER)

    @property
    def warnings(self) -> tuple[str, ...]:
        """A line for each slice that cannot pass."""
        return tuple(_warn(proof) for proof in self.failing)


def examine(context: Context, data: TaskData, shared: SharedTexts, rates: Rates = TYPICAL) -> Preflight:
    """Look at the rows of a project; reads no model.

    Proofs are those of slices with `tier: prove`. Where a metric is of classes, each of them has its own. A
    row of the teacher's counts as supposed by `rates`; precision supposes that as many rows are called a
    class as are of it.

    Raises:
        SliceError: as of `slice_masks`.
    """
    slices, test = context.project.slices, data.split("test")
    masks = slice_masks(test, slices)
    sample = context.project.data.sample
    traffic = np.ones(len(test), bool) if sample is None else select_rows(test, sample, "data.sample")
    train = data.split("train").classes
    per_class = {label: int((train == number).sum()) for number, label in enumerate(data.labels)}
    fewest = min(per_class.items(), key=lambda item: item[1])
    rows = {entry.name: int(masks[entry.name].sum()) for entry in slices}
    proofs = [
        proof
        for entry in slices
        if entry.tier == "prove"
        for proof in _prove(entry, masks[entry.name], traffic, test, rates)
    ]
    return Preflight(data.counts(), len(data.labels), fewest, shared, rows, rates, tuple(proofs))


def _prove(entry: Slice, mask: Flags, traffic: Flags, test: TaskData, rates: Rates) -> Iterator[Proof]:
    """Yield each proof that a slice asks for."""
    truth, labels = test.classes, list(test.labels)
    name, margin = entry.name, entry.margin
    members = [labels.index(label) for label in entry.classes if label in labels]
    if entry.metric == "false_alarm":
        rows = int((mask & traffic & ~np.isin(truth, members)).sum())
        if margin is not None:
            half = rates.false_alarm / 2
            yield prove_margin(name, "", rows, margin / 100, half, half)
        if entry.at_most is not None:
            yield prove_ceiling(name, "", rows, entry.at_most / 100, rates.false_alarm)
        return
    if entry.metric == "accuracy":
        groups = [("", mask, entry.at_least)]
    else:
        judged = mask & traffic if entry.metric == "precision" else mask
        floor = entry.class_at_least if entry.together else entry.at_least
        groups = [(labels[member], judged & (truth == member), floor) for member in members]
        if entry.together:
            groups.append(("together", judged & np.isin(truth, members), entry.at_least))
    for of, selected, floor in groups:
        rows = int(selected.sum())
        if margin is not None:
            yield prove_margin(name, of, rows, margin / 100, rates.lost, rates.gained)
        if floor is not None:
            yield prove_floor(name, of, rows, floor / 100, rates.value)


def describe_proof(proof: Proof) -> str:
    """Say in one line what is asked of a slice and whether its rows can prove it."""
    line = f"{_subject(proof)}: {proof.status}"
    if proof.reason:
        line += f": {proof.reason}"
    elif proof.status == "uncertain" or proof.chance < 1:
        line += f", with a chance of {_share(proof.chance)} at the supposed rates"
    if proof.value_needed is not None:
        side = "at least" if proof.kind == "floor" else "at most"
        line += f"; a true value of {side} {100 * proof.value_needed:.1f} % is proven nine times of ten"
    return line + _more(proof)


def _warn(proof: Proof) -> str:
    return f"{_subject(proof)}: cannot be proven: {proof.reason}{_more(proof)}"


def _subject(proof: Proof) -> str:
    of = f", {proof.of}" if proof.of else ""
    limit = f"{100 * proof.limit:g}"
    words = {
        "margin": f"margin of {limit} points",
        "floor": f"floor of {limit} %",
        "ceiling": f"at most {limit} % false alarms",
    }
    return f"slice '{proof.slice}'{of}, {words[proof.kind]}, {proof.rows:,} rows"


def _more(proof: Proof) -> str:
    if proof.status == "provable":
        return ""
    at_best = None if proof.rows_at_best is None or proof.rows_at_best <= proof.rows else proof.rows_at_best
    parts = [] if at_best is None else [f"at least {at_best:,} rows"]
    if proof.rows_needed is None:
        parts.append("at the supposed rates no number of rows is enough")
    elif proof.rows_needed > proof.rows:
        parts.append(f"about {proof.rows_needed:,} at the supposed rates")
    return f"; needs {', '.join(parts)}" if parts else ""


def _share(chance: float) -> str:
    return (
        f"{100 * chance:.0f} %"
        if 0.005 <= chance <= 0.995
        else ("under 1 %" if chance < 0.5 else "over 99 %")
    )


def describe(found: Preflight) -> tuple[str, ...]:
    """Say everything in lines for people."""
    splits = ", ".join(f"{name} {count:,}" for name, count in found.counts.items())
    rates = found.rates
    lines = [
        f"rows: {splits}",
        f"classes: {found.classes}; the fewest training rows has '{found.fewest[0]}': {found.fewest[1]:,}",
        *(describe_shared(found.shared) or ("texts: no text stands in two splits or has two labels",)),
        "slices: " + ", ".join(f"{name} {count:,}" for name, count in found.rows.items()),
        f"supposed of a typical student: {100 * rates.lost:.1f} % of rows lost and "
        f"{100 * rates.gained:.1f} % gained against the teacher, "
        f"{100 * rates.value:.1f} % right, {100 * rates.false_alarm:.1f} % false "
        "alarms (medians of earlier studies; the last is a guess)",
        *(describe_proof(proof) for proof in found.proofs),
    ]
    if not found.proofs:
        lines.append("no slice has tier: prove, so nothing has to be proven")
    return tuple(lines)
