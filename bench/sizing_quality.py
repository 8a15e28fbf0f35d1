"""Does a search by short trainings recommend what a grid of whole trainings would?

    python bench/sizing_quality.py                  # BANKING77 and CLINC150: docs/results/sizing_quality.md
    python bench/sizing_quality.py --only clinc150  # one of them
    python bench/sizing_quality.py --tiny           # four students of MangaAssist, a few minutes, no table

The grid: 26 students of all families, each shown 100,000 rows. All are compiled and measured in one run. The
search: `edgekd size`'s own, once for all budgets, over the same students, for at most 15 % of the grid's
rows. Then ten budgets are drawn with a fixed seed. A recommendation rests on validation rows and is judged on
test rows: how far it is from the best student of the grid that fits, and from the largest that fits.

Both are steps of one store in bench/.edgekd/sizing: a study that was stopped goes on where it was. Costs are
the measured ones for both, so that what is compared is quality alone; `bench/sizing_cost.py` judges predicted
costs.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from studied import HERE

from edgekd.config import (
    NarrowModel,
    StaticModel,
    StudentModel,
    Target,
    Training,
    TransformerModel,
    load_project,
)
from edgekd.data.slices import slice_masks
from edgekd.engines.step import Step
from edgekd.evaluate.scorer import JudgedRows
from edgekd.pipeline.answering import read_answers, reference_step
from edgekd.pipeline.context import Context
from edgekd.pipeline.finalists import measure_finalists
from edgekd.pipeline.opening import TEACHER
from edgekd.pipeline.rungs import Spent, read_spent
from edgekd.pipeline.searching import Taught, list_points, teach
from edgekd.progress import silent
from edgekd.sizing.budget import Budget, Cost, Guess
from edgekd.sizing.front import Point, make_front
from edgekd.sizing.halving import Ladder, plan_ladder
from edgekd.sizing.shapes import Shape

TABLE = HERE.parent / "docs" / "results" / "sizing_quality.md"
STUDIES = ("banking77", "clinc150")
TARGET, RUNTIME = "lambda-x86", "onnxruntime"
ROWS, FIRST_ROWS, BUDGETS, SEED = 100_000, 4000, 10, 0
FIGURES = ("p95_ms", "peak_rss_mib", "artifact_mib")
CLOSE = 1.0
"""Points from the best student that a recommendation may be."""
TINY = (
    "data.options={train: 600, unlabelled: 0, calibration: 64, validation: 300, test: 200, critical: 0}",
    "slices=[{name: overall, margin: 5}]",
    "teacher={model: minilm-l6, training: {epochs: 1, learning_rate: 2.0e-4, batch: 32}}",
    "distillation={augmentations: 1}",
    "students=[static-256]",
    "routing=null",
    "gates={}",
    "threads=1",
    "measure={rounds: 3, seconds: 0.1, inputs: 16, pytorch: false}",
)


@dataclass(frozen=True)
class Plan:
    """What is studied: students, rows of each in the grid, and of the search's first rung."""

    models: tuple[StudentModel, ...]
    rows: int
    first_rows: int


def whole_grid() -> Plan:
    """List the students of the study."""
    fast = Training(epochs=1, learning_rate=3e-3, batch=128)
    slow = Training(epochs=1, learning_rate=4e-4, batch=64)
    models: list[StudentModel] = [
        StaticModel(
            kind="static",
            name=f"static-{width}d-{pairs}p",
            dimension=width,
            hidden=2 * width,
            pairs=pairs,
            vocabulary=8192,
            training=fast,
        )
        for width in (16, 32, 64, 128, 256)
        for pairs in (1024, 16384)
    ]
    models += [
        NarrowModel(
            kind="narrow",
            name=f"narrow-{layers}l-{width}w",
            layers=layers,
            width=width,
            heads=4,
            feed_forward=4 * width,
            training=slow,
        )
        for layers in (1, 2, 3, 4)
        for width in (64, 128, 192)
    ]
    models += [
        TransformerModel(
            kind="transformer",
            name=f"cut-{len(layers)}l",
            layers=layers,
            training=slow,
        )
        for layers in ((0,), (0, -1), (0, 2, -1), (0, 1, 3, -1))
    ]
    return Plan(tuple(models), ROWS, FIRST_ROWS)


def tiny_grid() -> Plan:
    """List four students, to try the study."""
    chosen = ("static-16d-1024p", "static-64d-1024p", "narrow-1l-64w", "narrow-2l-64w")
    return Plan(tuple(m for m in whole_grid().models if m.name in chosen), 4000, 400)


@contextmanager
def _unseen(title: str) -> Iterator[Any]:
    yield silent


def open_study(name: str, more: Sequence[str] = ()) -> Context:
    """Open a study's project, with a store of its own."""
    path = HERE / "studies" / f"{name}.yaml"
    settings = (f"targets=[{TARGET}]", f"workspace={HERE / '.edgekd' / 'sizing'}", *more)
    return Context(load_project(path, settings), path.parent, _unseen, print, settings)


def study(name: str, plan: Plan, more: Sequence[str] = ()) -> dict[str, Any]:
    """Search, train the grid, and compare; what is there is not made again. `more` are settings."""
    context = open_study(name, more)
    (target,) = context.targets
    shapes = [(Shape(model, RUNTIME, "fp32"), guess_cost(model)) for model in plan.models]
    ladder = plan_ladder(len(plan.models), plan.first_rows, 3)
    searched = teach(context, shapes, FIGURES, ladder, plan.rows)
    portions = plan.rows // 1000  # a fifth of it in the branch, as at every rung
    whole = Ladder(len(plan.models), 1000, (portions * 5 // 6,), (portions - portions * 5 // 6,))
    grid = teach(context, shapes, FIGURES, whole, plan.rows)
    points = list_points(shapes, grid)
    measured = measure_finalists(context, grid.data, grid.teacher, target, grid.judge, points)
    costs = {p.shape.model.name: p.cost for p in measured.values() if p is not None}
    tested = {name: drop_on_test(context, grid, name) for name in costs}
    budgets = draw_budgets(list(costs.values()), SEED)
    rows = [compare(target, budget, searched, costs, shapes, tested) for budget in budgets]
    spent = {"search": spent_by(context, searched), "grid": spent_by(context, grid)}
    coverage = [
        searched.qualities[n].drop.low <= grid.qualities[n].drop.value <= searched.qualities[n].drop.high
        for n in costs
    ]
    return {
        "study": name,
        "students": len(costs),
        "spread": max(tested.values()) - min(tested.values()),
        "budgets": rows,
        "close": sum(row["behind_best"] <= CLOSE for row in rows),
        "beats_largest": sum(row["before_largest"] > 0 for row in rows),
        "broken": sum(row["broken"] for row in rows),
        "rows_share": spent["search"].rows / spent["grid"].rows,
        "cpu_share": spent["search"].cpu_seconds / spent["grid"].cpu_seconds,
        "within_intervals": sum(coverage) / len(coverage),
        "drops": {n: {"test": tested[n], "searched": asdict(searched.qualities[n].drop)} for n in costs},
    }


def guess_cost(model: StudentModel) -> Cost:
    """Say what the search is told of a student's cost: its multiply-adds and numbers, in no unit of time.

    Which students go on depends on their order alone, which these have.
    """
    if model.kind == "static":
        work, size = 2 * model.dimension * model.hidden, model.dimension * (model.vocabulary + model.pairs)
    else:
        width = model.width if model.kind == "narrow" else 384
        inner = model.feed_forward if model.kind == "narrow" else 4 * 384
        layers = model.layers if model.kind == "narrow" else len(model.layers)
        work = 12 * layers * (4 * width**2 + 2 * width * inner)
        size = model.vocabulary * width + work // 12
    one, other = Guess(work / 1e6, work / 1e6, work / 1e6), Guess(size / 1e6, size / 1e6, size / 1e6)
    return Cost(one, one, other, other, other)


def drop_on_test(context: Context, grid: Taught, name: str) -> float:
    """Return the points that a whole training loses against the teacher on test rows."""
    rows, slices, scorer = grid.data.split("test"), context.project.slices, context.task.scorer
    judged = JudgedRows(rows.targets, rows.outputs, slices, slice_masks(rows, slices))
    overall = next(part for part in scorer.select(judged) if part.slice.name == "overall")
    values = []
    for step, model in ((grid.teacher, TEACHER), (grid.judge.rungs[name], name)):
        answers = context.engine.make(reference_step(context, step, model, "test"))
        served = scorer.serve(read_answers(answers.path, rows))
        values.append(overall.values(served, judged.truth).astype(float))
    return 100 * float((values[0] - values[1]).mean())


def draw_budgets(costs: Sequence[Cost], seed: int) -> list[Budget]:
    """Draw limits that some student holds with up to 30 % to spare; memory and size each half the time."""
    rng = random.Random(seed)
    found = []
    for _ in range(BUDGETS):
        cost = rng.choice(costs)

        def limit(name: str, cost: Cost = cost) -> float:
            return round(cost.of(name).high * rng.uniform(1.01, 1.3), 4)

        rss = limit("peak_rss_mib") if rng.random() < 0.5 else None
        size = limit("artifact_mib") if rng.random() < 0.5 else None
        found.append(Budget(p95_ms=limit("p95_ms"), peak_rss_mib=rss, artifact_mib=size))
    return found


def compare(
    target: Target,
    budget: Budget,
    searched: Taught,
    costs: Mapping[str, Cost],
    shapes: Sequence[tuple[Shape, Cost]],
    tested: Mapping[str, float],
) -> dict[str, Any]:
    """Recommend for a budget, and hold that against what the grid knows on test rows."""
    points = [
        Point(shape, costs[shape.model.name], searched.qualities[shape.model.name], measured=True)
        for shape, _ in shapes
        if shape.model.name in costs and shape.model.name in searched.qualities
    ]
    front = make_front(target.name, budget, points)
    fits = [
        name for name, cost in costs.items() if all(cost.of(f).high <= v for f, v in budget.limits.items())
    ]
    best = min(fits, key=lambda name: tested[name])
    largest = max(fits, key=lambda name: costs[name].artifact_mib.value)
    assert front.recommended is not None, "a budget is drawn so that something holds it"
    chosen = front.recommended.quality.student
    return {
        "budget": {key: value for key, value in asdict(budget).items() if value is not None},
        "fit": len(fits),
        "recommended": chosen,
        "best": best,
        "largest": largest,
        "behind_best": tested[chosen] - tested[best],
        "before_largest": tested[largest] - tested[chosen],
        "broken": chosen not in fits,
    }


def spent_by(context: Context, taught: Taught) -> Spent:
    """Add up what the trainings behind some qualities took: each student's rungs, to its last."""
    found = Spent()
    for last in taught.judge.rungs.values():
        step: Step | None = last
        while step is not None:
            found += read_spent(context.engine.make(step).path)
            before = step.inputs.get("before")
            step = before if isinstance(before, Step) else None
    return found


def write_table(found: Sequence[dict[str, Any]]) -> None:
    """Write the page of results."""
    lines = [
        "# A search by short trainings against a grid of whole ones",
        "",
        "Made by `python bench/sizing_quality.py`, which says how. Points are on test rows.",
        "",
        "| study | students | spread | within 1 point of the best | better than the largest that fits | "
        "limits broken | share of the grid's rows | of its CPU time | drops within their intervals |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {r['study']} | {r['students']} | {r['spread']:.1f} | {r['close']} of {len(r['budgets'])} | "
        f"{r['beats_largest']} of {len(r['budgets'])} | {r['broken']} | {r['rows_share']:.1%} | "
        f"{r['cpu_share']:.1%} | {r['within_intervals']:.0%} |"
        for r in found
    ]
    for r in found:
        lines += ["", f"## {r['study']}", ""]
        lines += ["| budget | fit | recommended | best | behind it | largest | before it |"]
        lines += ["| --- | ---: | --- | --- | ---: | --- | ---: |"]
        lines += [
            f"| {', '.join(f'{k} {v:g}' for k, v in row['budget'].items())} | {row['fit']} | "
            f"{row['recommended']} | {row['best']} | {row['behind_best']:.2f} | {row['largest']} | "
            f"{row['before_largest']:.2f} |"
            for row in r["budgets"]
        ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Make the study, or what is left of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=STUDIES, help="One of the studies.")
    parser.add_argument("--tiny", action="store_true", help="Four students of the built-in rows; no table.")
    given = parser.parse_args()
    if given.tiny:
        print(json.dumps(study("mangaassist", tiny_grid(), TINY), indent=1))
        return
    found = [study(name, whole_grid()) for name in ([given.only] if given.only else STUDIES)]
    write_table(found)


if __name__ == "__main__":
    main()
