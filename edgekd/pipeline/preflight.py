"""What can be said of a project before anything is trained: its rows, and what they can prove."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from edgekd.data.shared import SharedTexts, describe_shared
from edgekd.data.slices import select_rows, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.scorer import JudgedRows, find_baselines
from edgekd.evaluate.slice_rows import SliceRows
from edgekd.gate.provable import (
    TYPICAL,
    Proof,
    Rates,
    prove_ceiling,
    prove_floor,
    prove_gain,
    prove_margin,
    prove_mean_floor,
    prove_mean_margin,
)
from edgekd.pipeline.context import Context

_NEVER = ("out of reach", "impossible")


@dataclass(frozen=True)
class Preflight:
    """Rows per split, targets, repeated texts, rows per slice, and each proof that is asked for."""

    counts: Mapping[str, int]
    outputs: tuple[str, ...]
    """What a model puts out, as the classes."""
    targets: str
    """What the training rows' targets are, in one line."""
    shared: SharedTexts
    rows: Mapping[str, int]
    """Test rows of each slice."""
    rates: Rates
    proofs: tuple[Proof, ...] = field(default=())
    has_means: bool = False
    """Whether a slice that must be proven has values that are no hits."""

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
    class as are of it. How large values are that are no hits is not known before there is a model.

    Raises:
        SliceError: as of `slice_masks`.
    """
    slices, test = context.project.slices, data.split("test")
    masks = slice_masks(test, slices)
    sample = context.project.data.sample
    traffic = None if sample is None else select_rows(test, sample, "data.sample")
    rows = {entry.name: int(masks[entry.name].sum()) for entry in slices}
    split = JudgedRows(test.targets, test.outputs, slices, masks, traffic)
    chosen = [one for one in context.task.scorer.select(split) if one.slice.tier == "prove"]
    find_baselines(context.task.scorer, split)
    proofs = [
        proof
        for judged in chosen
        for proof in _prove(judged, judged.expected_rows(split.truth, traffic), rates)
    ]
    targets = data.reader.describe(data.split("train").targets, data.outputs)
    has_means = any(not judged.are_hits for judged in chosen)
    return Preflight(data.counts(), data.outputs, targets, shared, rows, rates, tuple(proofs), has_means)


def _prove(judged: SliceRows, rows: int, rates: Rates) -> Iterator[Proof]:
    """Yield each proof that one metric of a slice asks for: of its margin, its floor, its ceiling."""
    name, of = judged.slice.name, judged.of
    if not judged.are_hits:
        yield from _prove_mean(judged, rows, rates)
        return
    if judged.margin is not None:
        alarms = (rates.false_alarm / 2,) * 2
        lost, gained = alarms if judged.is_better_smaller else (rates.lost, rates.gained)
        yield prove_margin(name, of, rows, judged.margin, lost, gained)
    if judged.at_least is not None:
        yield prove_floor(name, of, rows, judged.at_least, rates.value)
    if judged.at_most is not None:
        yield prove_ceiling(name, of, rows, judged.at_most, rates.false_alarm)


def _prove_mean(judged: SliceRows, rows: int, rates: Rates) -> Iterator[Proof]:
    """Yield the proofs of values that are no hits."""
    name, of = judged.slice.name, judged.of
    if judged.margin is not None:
        yield prove_mean_margin(name, of, rows, judged.margin, rates.spread)
    if judged.at_least is not None:
        yield prove_mean_floor(name, of, rows, judged.at_least)
    for above in judged.above:
        yield prove_gain(name, above.words, rows, above.by, rates.far)


def describe_proof(proof: Proof) -> str:
    """Say in one line what is asked of a slice and whether its rows can prove it."""
    line = f"{_subject(proof)}: {proof.status}"
    if proof.reason:
        line += f": {proof.reason}{_by_luck(proof)}"
    elif proof.chance is None:
        line += ", as nothing is known of it before there is a model"
    elif proof.status == "uncertain" or proof.chance < 1:
        line += f", with a chance of {_share(proof.chance)} at the supposed rates"
    if proof.value_needed is not None:
        needed = f"{100 * proof.value_needed:.1f}"
        words = {
            "floor": f"value of at least {needed} %",
            "ceiling": f"value of at most {needed} %",
            "gain": f"gain of at least {needed} points",
        }
        line += f"; a true {words[proof.kind]} is proven nine times of ten"
    return line + _more(proof)


def _warn(proof: Proof) -> str:
    verdict = "cannot be proven" if proof.status == "impossible" else "out of reach"
    return f"{_subject(proof)}: {verdict}: {proof.reason}{_by_luck(proof)}{_more(proof)}"


def _by_luck(proof: Proof) -> str:
    """Say how often a slice passes all the same, where only luck can do it."""
    if proof.status != "out of reach" or not proof.chance:
        return ""
    return f" ({_share(proof.chance)} of students with the supposed rates pass by luck)"


def _subject(proof: Proof) -> str:
    of = f", {proof.of}" if proof.of else ""
    limit = f"{100 * proof.limit:g}"
    words = {
        "margin": f"margin of {limit} points",
        "floor": f"floor of {limit} %",
        "ceiling": f"at most {limit} % false alarms",
        "gain": f"above it by {limit} points",
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
    if 0.005 <= chance <= 0.995:
        return f"{100 * chance:.0f} %"
    return "under 1 %" if chance < 0.5 else "over 99 %"


def describe(found: Preflight) -> tuple[str, ...]:
    """Say everything in lines for people."""
    splits = ", ".join(f"{name} {count:,}" for name, count in found.counts.items())
    rates = found.rates
    spreads = (
        "supposed of values that are no hits: what a row loses against the teacher has a standard deviation "
        f"of {100 * rates.spread:g} points, against a baseline {100 * rates.far:g}"
    )
    lines = [
        f"rows: {splits}",
        found.targets,
        *(describe_shared(found.shared) or ("texts: no text stands in two splits or has two labels",)),
        "slices: " + ", ".join(f"{name} {count:,}" for name, count in found.rows.items()),
        f"supposed of a typical student: {100 * rates.lost:.1f} % of rows lost and "
        f"{100 * rates.gained:.1f} % gained against the teacher, {100 * rates.value:.1f} % right, "
        f"{100 * rates.false_alarm:.1f} % false "
        "alarms (medians of earlier studies; the last is a guess)",
        *([spreads] if found.has_means else []),
        *(describe_proof(proof) for proof in found.proofs),
    ]
    if not found.proofs:
        lines.append("no slice has tier: prove, so nothing has to be proven")
    return tuple(lines)
