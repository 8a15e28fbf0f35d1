"""How often the gate errs, on tables of real answers: rows are drawn anew from what a study answered.

    edgekd run bench/studies/clinc150.yaml      (and the other studies)
    python bench/gate_errors.py bench/studies/clinc150.yaml ... --out docs/results/gate_errors.md

Each figure is of 20,000 draws. The answers of a study's test rows are taken as the whole population: drawing
from them with replacement gives data whose true drop is known. To put a variant exactly at a margin, hits
are taken from it (or given back) at random rows until the population's drop is the margin. Beside the
draws, judged by the gate itself, stands the exact chance that the planner computes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from edgekd.config import Target, load_project
from edgekd.data.load import load_data
from edgekd.data.slices import select_traffic, slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.classify.slices import traffic_weights
from edgekd.evaluate.predictions import load_predictions
from edgekd.evaluate.result import Calibration, Drop, EvalResult, SliceResult
from edgekd.gate.checks import check_proven, check_watched
from edgekd.gate.evidence import VariantEvidence
from edgekd.gate.floors import check_floor
from edgekd.gate.verdict import judge_target
from edgekd.stats.interval import Interval
from edgekd.stats.paired import paired_drop_bound
from edgekd.stats.paired_power import chance_of_harm, chance_to_pass, rows_to_decide
from edgekd.stats.proportion import exact_upper_bound, wilson_interval
from edgekd.stats.tally import Tally

DRAWS = 20_000
FEW = 2000  # draws of the bar at the margin: 5 % of them and their noise are 116
TARGET = "lambda-x86"
Hits = npt.NDArray[np.bool_]
Judge = Callable[[int, int], bool]  # lost, gained


@dataclass(frozen=True)
class Table:
    """What was answered right on the test rows of a study: teacher [row] and variants [variant, row].

    `called` holds for each class that has extra test rows: of the rows that the first variant calls so,
    whether they are, and how much each counts in traffic.
    """

    name: str
    teacher: Hits
    variants: Hits
    names: tuple[str, ...]
    masks: dict[str, Hits]
    called: dict[str, tuple[Hits, npt.NDArray[np.float64]]]


def read_table(path: Path) -> Table:
    """Read the newest run of a study that has the target's evidence."""
    project = load_project(path)
    workspace = path.parent / project.workspace
    test = load_data(project.data, path.parent, project.seed).split("test")
    runs = sorted((workspace / "runs").glob(f"{project.name}-????????/evidence/{TARGET}"), key=_age)
    if not runs:
        raise SystemExit(f"{path}: has no run with evidence of {TARGET}; edgekd run {path}")
    answers = {
        p.parent.name: load_predictions(p, test.ids).labels for p in sorted(runs[-1].glob("*/logits.npy"))
    }
    teacher = load_predictions(runs[-1].parent / "rows" / "teacher.npy", test.ids)
    return Table(
        project.name,
        teacher.labels == test.classes,
        np.stack([labels == test.classes for labels in answers.values()]),
        tuple(answers),
        slice_masks(test, project.slices),
        _called(test, next(iter(answers.values())), select_traffic(test, project.data.sample)),
    )


def _called(
    test: TaskData, labels: npt.NDArray[np.int64], traffic: Hits | None
) -> dict[str, tuple[Hits, npt.NDArray[np.float64]]]:
    if traffic is None:
        return {}
    weights = traffic_weights(test.classes, traffic)
    extra = np.unique(test.classes[~traffic])
    rows = {test.outputs[place]: (place, labels == place) for place in extra}
    found = {name: (test.classes[mask] == place, weights[mask]) for name, (place, mask) in rows.items()}
    return {name: pair for name, pair in found.items() if len(np.unique(pair[1])) > 1}


def _age(path: Path) -> float:
    return path.stat().st_mtime


def at_drop(teacher: Hits, variant: Hits, drop: float, rng: np.random.Generator) -> Hits:
    """Change a variant's hits at random rows until its drop is `drop`, to the nearest row."""
    out = variant.copy()
    wanted = round(teacher.sum() - drop * len(teacher))
    change = int(out.sum()) - wanted
    rows = np.flatnonzero(out if change > 0 else ~out)
    out[rng.choice(rows, abs(change), replace=False)] = change < 0
    return out


def judged(
    lost: int, gained: int, n: int, margin: float, tier: str = "prove", name: str = "s"
) -> SliceResult:
    """Make the result of one slice from its counts."""
    drop = Drop("teacher", n, lost, gained, (lost - gained) / n, *paired_drop_bound(lost, gained, n), 0.95)
    return SliceResult(name, tier, "accuracy", margin, n, wilson_interval(n // 2, n), (drop,))


def rates(teacher: Hits, variant: Hits) -> tuple[float, float]:
    """Share of rows lost and gained."""
    return float((teacher & ~variant).mean()), float((variant & ~teacher).mean())


def drawn(differ: tuple[float, float], n: int, rng: np.random.Generator, says: Judge) -> Hits:
    """What the gate says of samples of n rows, with replacement [draw]; equal counts are judged once."""
    counts = rng.multinomial(n, [*differ, 1 - sum(differ)], DRAWS)[:, :2]
    distinct, which = np.unique(counts, axis=0, return_inverse=True)
    return np.array([says(int(lost), int(gained)) for lost, gained in distinct])[which.ravel()]


def passing(n: int, margin: float) -> Judge:
    """Ask the gate whether counts prove a slice."""
    return lambda lost, gained: check_proven(judged(lost, gained, n, margin)).status == "pass"


def share(hits: Hits) -> str:
    """Print the share of the draws."""
    return f"{hits.mean():.2%}"


def at_margin(table: Table, rng: np.random.Generator) -> list[str]:
    """A variant exactly at the margin of one proven slice passes."""
    lines = []
    for points in (1.5, 3.0):
        for name in ("overall", min(table.masks, key=lambda key: table.masks[key].sum())):
            rows = table.masks[name]
            n, teacher = int(rows.sum()), table.teacher[rows]
            variant = at_drop(teacher, table.variants[0][rows], points / 100, rng)
            margin = float((teacher.sum() - variant.sum()) / n)  # to the nearest row
            differ = rates(teacher, variant)
            passed = drawn(differ, n, rng, passing(n, margin))
            exact = chance_to_pass(n, *differ, margin)
            lines.append(
                f"| {table.name} | {name}, {n:,} rows | {100 * margin:.2f} | {passed[:FEW].sum()} "
                f"| {share(passed)} | {exact:.2%} |"
            )
    return lines


def equal(table: Table, rng: np.random.Generator) -> list[str]:
    """A variant truly equal to its reference passes at the rows that the planner names."""
    lines = []
    for place in {0, len(table.names) - 1}:
        for margin in (0.015, 0.03):
            rows = table.masks["overall"]
            swap = rng.random(int(rows.sum())) < 0.5  # who is right where they differ: a coin
            one, other = table.teacher[rows], table.variants[place][rows]
            teacher = np.where(swap, other, one)
            variant = at_drop(teacher, np.where(swap, one, other), 0.0, rng)
            differ = rates(teacher, variant)
            n = rows_to_decide(*differ, margin)
            passed = drawn(differ, n, rng, passing(n, margin))
            lines.append(
                f"| {table.name} | {table.names[place]} | {100 * margin:g} | {n:,} | {share(passed)} "
                f"| {chance_to_pass(n, *differ, margin):.2%} |"
            )
    return lines


def many(table: Table, rng: np.random.Generator) -> list[str]:
    """Of twelve variants, all exactly at the margin, one is promoted."""
    margin, rows = 0.015, table.masks["overall"]
    teacher = table.teacher[rows]
    real = table.variants[:, rows]
    variants = np.stack([at_drop(teacher, real[i % len(real)], margin, rng) for i in range(12)])
    n = int(rows.sum())
    target = Target(
        name="t",
        hardware={"arch": "x86_64", "memory_mib": 1024},
        builds=[{"runtime": "onnxruntime", "recipe": "fp32"}],
        objective="artifact_bytes",
    )
    # Rows that all answer alike are one kind: a sample is how often each kind was drawn.
    kinds, times = np.unique(np.vstack([teacher, variants]), axis=1, return_counts=True)
    lost, gained = (kinds[:1] & ~kinds[1:]).T.astype(int), (kinds[1:] & ~kinds[:1]).T.astype(int)
    test, before = (rng.multinomial(n, times / n, DRAWS) for _ in range(2))
    orders = np.argsort(before @ (lost - gained), axis=1, kind="stable")
    names = [f"v{place:02}" for place in range(len(variants))]

    @cache
    def one(place: int, lost: int, gained: int) -> VariantEvidence:
        return _evidence(names[place], judged(lost, gained, n, margin, name="overall"))

    promoted = np.empty((DRAWS, 2), bool)
    for draw, (order, lost_by, gained_by) in enumerate(zip(orders, test @ lost, test @ gained, strict=True)):
        evidence = [one(at, int(lost_by[at]), int(gained_by[at])) for at in range(len(variants))]
        in_order = judge_target(target, evidence, order=[names[place] for place in order])
        promoted[draw] = in_order.promoted is not None, judge_target(target, evidence).promoted is not None
    first = max(chance_to_pass(n, *rates(teacher, hits), margin) for hits in variants)
    return [f"| {table.name} | {share(promoted[:, 0])} | {first:.2%} | {share(promoted[:, 1])} |"]


def _evidence(name: str, result: SliceResult) -> VariantEvidence:
    digest = name.encode().hex().ljust(64, "0")
    figure = Interval(1.0, 0.9, 1.1, 0.95)
    return VariantEvidence(
        name, "s", "onnxruntime", "fp32", digest, 1000, figure, figure, figure, 1000, "native", "",
        EvalResult(digest, result.n, (result,), Calibration(0.0, 0.0, 0.0, result.n)), True,
    )  # fmt: skip


def caught(table: Table, rng: np.random.Generator) -> list[str]:
    """A watched slice with a true harm of twice its margin is caught at the rows that the planner names.

    Claims of harm share the 5 % among all of a study's slices.
    """
    lines = []
    slices = len(table.masks)
    level = 1 - 0.05 / slices
    for margin in (0.02, 0.04):
        rows = table.masks["overall"]
        variant = at_drop(table.teacher[rows], table.variants[0][rows], 2 * margin, rng)
        differ = rates(table.teacher[rows], variant)
        n = rows_to_decide(*differ, margin, confidence=level)

        def fails(lost: int, gained: int, n: int = n, margin: float = margin) -> bool:
            return check_watched(judged(lost, gained, n, margin, "watch"), of=slices).status == "fail"

        found = drawn(differ, n, rng, fails)
        lines.append(
            f"| {table.name} | {100 * margin:g} | {slices} | {n:,} | {share(found)} "
            f"| {chance_of_harm(n, *differ, margin, confidence=level):.2%} |"
        )
    return lines


def at_floor(table: Table, rng: np.random.Generator) -> list[str]:
    """A variant whose value is exactly the floor of a proven slice passes."""
    lines = []
    for name in ("overall", min(table.masks, key=lambda key: table.masks[key].sum())):
        hits = table.variants[0][table.masks[name]]
        n, floor = len(hits), float(hits.mean())
        counts = rng.binomial(n, floor, DRAWS)
        distinct, which = np.unique(counts, return_inverse=True)
        passes = np.array([_keeps(Tally(k, n - k, k, n - k), floor, n) for k in map(float, distinct)])
        exact = binom.pmf(distinct, n, floor)[passes].sum()
        lines.append(_floor_line(table, f"accuracy of {name}", n, floor, passes[which.ravel()], exact))
    for name, (hits, weights) in list(table.called.items())[:4]:
        floor, n = Tally.of(hits, weights).share, len(hits)
        kinds, times = np.unique(np.stack([hits, weights]), axis=1, return_counts=True)
        right, weight = kinds[0].astype(bool), kinds[1]

        def tally(counts: npt.NDArray[np.int64], right: Hits = right, weight: Hits = weight) -> Tally:
            parts = [(counts[part], weight[part]) for part in (right, ~right)]
            return Tally(*(float(many @ each**power) for power in (1, 2) for many, each in parts))

        counts = rng.multinomial(n, times / n, DRAWS)
        passed = np.array([_keeps(tally(one), floor, n) for one in counts])
        lines.append(_floor_line(table, f"precision of {name}, weighted", n, floor, passed, None))
    return lines


def _keeps(tally: Tally, floor: float, n: int) -> bool:
    value = wilson_interval(n // 2, n)
    result = SliceResult("s", "prove", "accuracy", None, n, value, (), at_least=floor, tally=tally)
    return check_floor(result).status == "pass"


def _floor_line(table: Table, what: str, n: int, floor: float, passed: Hits, exact: float | None) -> str:
    known = "–" if exact is None else f"{exact:.2%}"
    return f"| {table.name} | {what} | {n:,} | {floor:.2%} | {share(passed)} | {known} |"


PARTS = (
    ("A variant exactly at the margin of one proven slice, passed (5 %; at most 116 of the first 2,000)",
     "| study | slice | margin, points | of 2,000 | of all draws | exact |\n"
     "| --- | --- | ---: | ---: | ---: | ---: |", at_margin),
    ("A variant truly equal to the teacher, passed (at least 90 % at the planned rows)",
     "| study | differs as | margin, points | rows | passed | exact |\n"
     "| --- | --- | ---: | ---: | ---: | ---: |", equal),
    ("Twelve variants, each exactly at the margin: any promoted (at most 5 %)",
     "| study | in the gate's order | exact, of the likeliest | as if each were the only one |\n"
     "| --- | ---: | ---: | ---: |", many),
    ("A watched slice whose true drop is twice its margin, caught (at least 90 % at the planned rows)",
     "| study | margin, points | slices | rows | caught | exact |\n"
     "| --- | ---: | ---: | ---: | ---: | ---: |", caught),
    ("A value exactly at its floor, passed (at most 5 %)",
     "| study | value | rows | floor | passed | exact |\n"
     "| --- | --- | ---: | ---: | ---: | ---: |", at_floor),
)  # fmt: skip


def main() -> None:
    """Draw, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    tables = [read_table(path) for path in asked.studies]
    rng = np.random.default_rng(0)
    lines = [
        "# How often the gate errs\n",
        f"`python bench/gate_errors.py {' '.join(map(str, asked.studies))}`: shares of {DRAWS:,} draws of "
        "rows from a study's own test answers, judged by the gate; one standard error of a share is .15 "
        "points at 5 % and .21 at 90 %. Of 2,000 draws 5 % are 100, and with their noise 116 (the upper "
        f"95 % bound of 100 is {100 * exact_upper_bound(100, FEW):.1f} %). `exact`: enumerated.",
    ]
    for title, head, part in PARTS:
        lines += [f"\n## {title}\n", head, *(line for table in tables for line in part(table, rng))]
    text = "\n".join(lines) + "\n"
    print(text)
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
