"""Two hops or one: does a model between a large teacher and a small student help?

    python bench/search_rows.py --data ../shared/data --train 1067 --dev 200 --test 800 --out bench/made/hops
    python bench/hops.py --out docs/results/hops.md      (two hours; goes on where it was)

MPNet-base learns the grades of 1,000 queries, of which an epoch shows 8 candidates each: 8,000 pairs. All
roads end in the same 2-layer student, which starts from MiniLM-L6's first and last layer:

- "one hop": it learns what MPNet says, in {epochs} epochs.
- "one hop, longer": the same in {longer} epochs, as many as both models of two hops see together.
- "two hops": MiniLM-L6 learns what MPNet says, in {between} epochs, and the student what MiniLM-L6 says, in
  {epochs}.
- "small teacher": MiniLM-L6 learns the grades itself and is the only teacher.

Everything is trained with {seeds} seeds. Values are NDCG@10 of the test rows, in percent. An interval (95 %)
is of the mean over seeds, by queries; "between seeds" is the standard deviation of the means of seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekd.cli.verbs import open_context
from edgekd.config import load_model
from edgekd.evaluate.rank.values import align, ndcg_at_10, tells_orders_apart
from edgekd.pipeline.answering import read_answers, reference_step
from edgekd.pipeline.opening import TEACHER
from edgekd.pipeline.run import run
from edgekd.stats.bounded import BoundedMean

STUDY = Path(__file__).parent / "studies" / "hops.yaml"
SMALL, STUDENT = "pairs-minilm-l6", "pairs-2l-own"
SEEDS = 3
ONE, LONGER, TWO, SMALL_ALONE = "one hop", "one hop, longer", "two hops", "small teacher"
Values = npt.NDArray[np.float64]


def roads() -> dict[str, tuple[str, ...]]:
    """Return the settings of each road."""
    epochs = load_model(STUDENT, STUDY.parent).training.epochs + load_model(SMALL).training.epochs
    longer = (
        f"students=[{{model: {STUDENT}, training: {{epochs: {epochs}, learning_rate: 4.0e-4, batch: 8}}}}]"
    )
    return {
        ONE: (),
        LONGER: (longer,),
        TWO: (f"teacher.through={SMALL}", "students=[pairs-2l]"),
        SMALL_ALONE: (f"teacher={{model: {SMALL}}}", "students=[pairs-2l]"),
    }


def judge(settings: tuple[str, ...], seed: int) -> dict[str, Values]:
    """Train one road; return NDCG@10 of its student and its teacher on each test row."""
    context = open_context(STUDY, (*settings, f"seed={seed}"))
    results = run(context, "distill", (), "")
    test = results.data.split("test")
    rows = tells_orders_apart(test.targets)
    truth, found = test.targets[rows], {}
    steps = {TEACHER: results.teacher_step, **results.student_steps}
    for name, source in steps.items():
        step = reference_step(context, source, name, "test")
        outputs = read_answers(context.engine.make(step).path, test).outputs
        found[name] = np.asarray(ndcg_at_10(align(outputs, truth.shape[1])[rows], truth), np.float64)
    return found


def say(values: Values) -> str:
    """Say a mean over rows with its interval; `values` has shape [row], of differences or of figures."""
    found = BoundedMean.of(values, least=-1.0).at(0.975)
    return f"{100 * found.estimate:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def spread(by_seed: Values) -> str:
    """Say how far seeds lie apart; `by_seed` has shape [seed, row]."""
    return f"{100 * by_seed.mean(axis=1).std(ddof=1):.2f}" if len(by_seed) > 1 else "not measured"


def main() -> None:
    """Train all roads and print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    asked = parser.parse_args()
    found: dict[str, list[dict[str, Values]]] = {name: [] for name in roads()}
    for seed in range(asked.seeds):
        for name, settings in roads().items():
            found[name].append(judge(settings, seed))
    teachers = {name: np.array([one.pop(TEACHER) for one in by_seed]) for name, by_seed in found.items()}
    students = {
        name: np.array([next(iter(one.values())) for one in by_seed]) for name, by_seed in found.items()
    }
    lines = ["# Two hops or one", "", *describe(asked.seeds), ""]
    lines += [
        "| road | its teacher | student | between seeds | over one hop |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, values in students.items():
        over = "" if name == ONE else say(values.mean(axis=0) - students[ONE].mean(axis=0))
        own = say(teachers[name].mean(axis=0))
        lines.append(f"| {name} | {own} | {say(values.mean(axis=0))} | {spread(values)} | {over} |")
    lines += [
        "",
        f"Two hops over the longer hop: {say(students[TWO].mean(axis=0) - students[LONGER].mean(axis=0))}.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")


def describe(seeds: int) -> list[str]:
    """Return what the study is, with its numbers."""
    student, between = load_model(STUDENT, STUDY.parent).training.epochs, load_model(SMALL).training.epochs
    words = (__doc__ or "").format(epochs=student, between=between, longer=student + between, seeds=seeds)
    return words.splitlines()


if __name__ == "__main__":
    main()
