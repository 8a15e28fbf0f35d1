"""Does preflight say the truth? 20 made projects, judged by the gate itself in many simulated runs.

    python bench/preflight.py --out docs/results/preflight.md        # under two minutes, trains nothing

Each project has test rows of made texts and slices to prove, of one row to thousands. What `edgekd check`
says of each slice is held against runs: each draws the answers of a teacher and of a student with the
supposed rates, row by row, and gives their counts to the gate's own code. A second student is right on every
row, against a teacher as right as supposed; a third answers as the teacher does on every row.

Exit code 1: a slice called provable is proven in fewer than 90 % of runs, or one called impossible is ever
proven.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekd.config import Columns, Data, Project, Slice
from edgekd.data.load import load_and_compare
from edgekd.evaluate.result import Drop, SliceResult
from edgekd.gate.checks import check_proven
from edgekd.gate.floors import check_floor
from edgekd.gate.provable import POWER, TYPICAL, Proof
from edgekd.pipeline.context import Context
from edgekd.pipeline.preflight import examine
from edgekd.progress import silent
from edgekd.stats.paired import paired_drop_bound
from edgekd.stats.proportion import wilson_interval
from edgekd.stats.tally import Tally

DRAWS = 4000  # runs per slice and student
ROOT = Path(__file__).parent.parent
STUDIES = ("clinc150", "banking77", "mangaassist")
_SLICE_LINE = re.compile(
    r"^\| ([\w-]+) \| (?:prove|watch) \| (?:accuracy|recall) \| ([\d,]+) \| [\d.]+ %[^|]*\| ([\d.]+) %[^|]*"
    r"\| ([+-][\d.]+) \[([+-][\d.]+) to ([+-][\d.]+)\] \|"
)


@dataclass(frozen=True)
class Outcome:
    """How often the gate passed one slice: students with the supposed rates, perfect ones, exact copies."""

    project: str
    proof: Proof
    supposed: float
    perfect: float
    copy: float

    @property
    def is_right(self) -> bool:
        """Whether preflight's word holds; a share of draws is allowed its noise below 90 %."""
        if self.proof.status == "provable":
            return self.supposed >= POWER - 2 * (POWER * (1 - POWER) / DRAWS) ** 0.5
        if self.proof.status == "impossible":
            return max(self.supposed, self.perfect, self.copy) == 0
        return self.proof.status != "out of reach" or self.copy == 0


def read_rates() -> list[tuple[float, float, float]]:
    """Read lost, gained and right rows, as shares, of each slice that the studies' reports show.

    Reports show the drop and its two bounds: the counts are those that give these bounds.
    """
    found = {}
    for study in STUDIES:
        for line in (ROOT / "docs" / "results" / f"{study}.md").read_text(encoding="utf-8").splitlines():
            if (match := _SLICE_LINE.match(line)) is None:
                continue
            name, rows, value, *figures = match.groups()
            n, (drop, low, high) = int(rows.replace(",", "")), (float(figure) / 100 for figure in figures)
            net = round(drop * n)
            counts = [(net + gained, gained) for gained in range(max(0, -net), n // 6)]
            errors = []
            for lost, gained in counts:
                bounds = paired_drop_bound(lost, gained, n)
                errors.append(abs(bounds[0] - low) + abs(bounds[1] - high))
                if len(errors) > 1 and errors[-1] > errors[-2]:
                    break  # bounds only widen with more discordant rows
            lost, gained = counts[int(np.argmin(errors))]
            found[study, name, n, lost, gained] = lost / n, gained / n, float(value) / 100
    return list(found.values())


def make_projects(folder: Path) -> list[Project]:
    """Write the rows of 20 projects, and return their settings."""
    rng = random.Random(0)
    projects = []
    for number in range(20):
        sizes = [rng.choice([1, 12, 40, 70, 110, 250, 600, 1100, 2400, 5200]) for _ in range(4)]
        rare = rng.choice([15, 60, 300, 1500])
        rows = [f"text,label,split,part\n{_words(rng)},common,train,x"]
        for split, count in (("train", 60), ("validation", 40), ("calibration", 20)):
            rows += [f"{_words(rng)},{label},{split},x" for label in ("common", "rare") for _ in range(count)]
        rows += [f"{_words(rng)},common,test,p{part}" for part, size in enumerate(sizes) for _ in range(size)]
        rows += [f"{_words(rng)},rare,test,y" for _ in range(rare)]
        (folder / f"rows{number}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        margin = rng.choice([1.5, 2, 3, 4, 6])
        slices = [Slice(name="overall", tier="prove", margin=rng.choice([1, 1.5, 2, 3]))]
        for part in range(4):
            floor = rng.choice([None, 80, 85, 88, 90])
            slices.append(
                Slice(
                    name=f"part{part}", where=f"part = 'p{part}'", tier="prove", margin=margin, at_least=floor
                )
            )
        slices.append(Slice(name="rare", recall_of=("rare",), tier="prove", margin=5, at_least=80))
        slices.append(
            Slice(name="alarms", false_alarm_of=("rare",), tier="prove", at_most=rng.choice([0.6, 1, 2]))
        )
        data = Data(source=f"rows{number}.csv", columns=Columns(split="split"))
        projects.append(
            Project(
                name=f"made{number}",
                data=data,
                slices=tuple(slices),
                students=["static-256"],
                targets=["lambda-x86"],
            )
        )
    return projects


def _words(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=14))


def simulate(proof: Proof, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return how often the gate passes students with the supposed rates, perfect ones, and exact copies."""
    n = proof.rows
    if proof.kind != "margin":
        right = 1 - TYPICAL.false_alarm if proof.kind == "ceiling" else TYPICAL.value
        hits = rng.binomial(n, right, DRAWS)
        always = np.full(1, n)
        return _share(proof, hits), _share(proof, always), _share(proof, rng.binomial(n, right, DRAWS))
    supposed = rng.multinomial(n, [TYPICAL.lost, TYPICAL.gained, 1 - TYPICAL.lost - TYPICAL.gained], DRAWS)[
        :, :2
    ]
    perfect = np.stack([np.zeros(DRAWS, int), rng.binomial(n, 1 - TYPICAL.value, DRAWS)], axis=1)
    return _drops(proof, supposed), _drops(proof, perfect), _drops(proof, np.zeros((1, 2), int))


def _drops(proof: Proof, counts: np.ndarray) -> float:
    """Ask the gate's own check about counts of lost and gained rows; equal counts are judged once."""
    distinct, which = np.unique(counts, axis=0, return_inverse=True)
    passes = np.array([_passes_margin(proof, int(lost), int(gained)) for lost, gained in distinct])
    return float(passes[which.ravel()].mean())


def _passes_margin(proof: Proof, lost: int, gained: int) -> bool:
    n = proof.rows
    drop = None
    if n:
        low, high = paired_drop_bound(lost, gained, n)
        drop = Drop("teacher", n, lost, gained, (lost - gained) / n, low, high, 0.95)
    value = wilson_interval(n // 2, n) if n else None
    result = SliceResult("s", "prove", "accuracy", proof.limit, n, value, (drop,) if drop else ())
    return check_proven(result).status == "pass"


def _share(proof: Proof, hits: np.ndarray) -> float:
    """Ask the gate's own check of floors about counts of hits; equal counts are judged once."""
    distinct, which = np.unique(hits, return_inverse=True)
    passes = [_passes_floor(proof, int(count)) for count in distinct]
    return float(np.array(passes)[which.ravel()].mean())


def _passes_floor(proof: Proof, hits: int) -> bool:
    n, is_floor = proof.rows, proof.kind == "floor"
    result = SliceResult(
        "s",
        "prove",
        "recall" if is_floor else "false_alarm",
        None,
        n,
        wilson_interval(hits, n) if n else None,
        (),
        at_least=proof.limit if is_floor else None,
        at_most=None if is_floor else proof.limit,
        tally=Tally(hits, n - hits, hits, n - hits) if n else None,
    )
    return check_floor(result).status == "pass"


def run_study() -> list[Outcome]:
    """Examine each project, and simulate each proof that it asks for."""
    rng = np.random.default_rng(0)
    outcomes = []
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        for project in make_projects(folder):
            context = Context(project, folder, lambda title: nullcontext(silent), lambda words: None)
            data, shared = load_and_compare(project.data, folder)
            for proof in examine(context, data, shared).proofs:
                outcomes.append(Outcome(project.name, proof, *simulate(proof, rng)))
    return outcomes


def describe(outcomes: list[Outcome], rates: list[tuple[float, float, float]]) -> str:
    """Write the page."""
    lost, gained, value = (statistics.median(column) for column in zip(*rates, strict=True))
    lines = [
        "# Preflight against what happens\n",
        "`python bench/preflight.py`: 20 made projects, each slice judged by the gate's own code in "
        f"{DRAWS:,} simulated runs per student. A student of the *supposed* rates draws each row; a "
        f"*perfect* "
        "one is right on every row, where the teacher is wrong on as many as supposed; a *copy* answers as "
        "its "
        "teacher does (for floors and ceilings it is a student of the supposed rates). Each slice is "
        "judged on "
        "its own: a project with several is promoted less often than its hardest one is proven.\n",
        "## The supposed rates\n",
        f"Medians over the {len(rates)} slices that the reports of {', '.join(STUDIES)} show: {lost:.1%} of "
        f"the rows lost against the teacher, {gained:.1%} gained, {value:.1%} right. Preflight supposes "
        f"{TYPICAL.lost:.1%}, {TYPICAL.gained:.1%} (no student is supposed to better its teacher) and "
        f"{TYPICAL.value:.1%}. The rate of false alarms, {TYPICAL.false_alarm:.1%}, is a guess: no earlier "
        "report has it.\n",
        "## What was said, and what came true\n",
        "| said | slices | proven at the supposed rates: least | median | most | by a perfect student, most "
        "| by a copy, most |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for status in ("provable", "uncertain", "out of reach", "impossible"):
        group = [entry for entry in outcomes if entry.proof.status == status]
        if not group:
            continue
        shares = [entry.supposed for entry in group]
        lines.append(
            f"| {status} | {len(group)} | {min(shares):.1%} | {statistics.median(shares):.1%} "
            f"| {max(shares):.1%} | {max(entry.perfect for entry in group):.1%} | "
            f"{max(entry.copy for entry in group):.1%} |"
        )
    gap = max(abs(entry.supposed - entry.proof.chance) for entry in outcomes)
    lines += [
        f"\nThe chance that preflight computes and the share of runs differ by {100 * gap:.1f} points at "
        f"most; "
        f"one standard error of a share is {100 * (0.25 / DRAWS) ** 0.5:.1f} points at worst.\n",
        "`out of reach` is not impossible: a student that corrects its teacher on a few rows and loses "
        "none can "
        "be proven there, which is luck at the supposed rates. A copy never is.\n",
        "## Every slice\n",
        "| project | slice | asked | rows | said | chance computed | share of runs | perfect | copy |",
        "| --- | --- | --- | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {entry.project} | {entry.proof.slice} | {entry.proof.kind} {100 * entry.proof.limit:g} "
        f"| {entry.proof.rows:,} | {entry.proof.status} | {entry.proof.chance:.1%} | {entry.supposed:.1%} "
        f"| {entry.perfect:.1%} | {entry.copy:.1%} |"
        for entry in outcomes
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the page; the exit code says whether preflight's words held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    outcomes = run_study()
    page = describe(outcomes, read_rates())
    print(page)
    if arguments.out:
        arguments.out.write_text(page, encoding="utf-8")
    wrong = [entry for entry in outcomes if not entry.is_right]
    for entry in wrong:
        print(f"wrong: {entry}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
