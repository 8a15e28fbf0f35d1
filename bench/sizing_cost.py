"""How well costs of students are predicted that the cost model was never fitted to.

    python bench/sizing_cost.py             # half an hour, with nothing beside it; goes on where it was

{count} shapes of the range files in models/ per target, drawn with seed {seed} from all families in turn
(kind of student, runtime, recipe), none of them among those that the model is fitted to. Each is exported and
compiled untrained, then measured in {rounds} fresh processes on {texts} messages of MangaAssist's validation
rows, with the artifact's own loader. Errors are |measured - predicted| / measured. `within 10 %` is the share
of shapes, which nn-Meter reports (Zhang et al., MobiSys 2021); `in interval` is the share within the interval
that was stated at 90 %. `left out` is the error on shapes of the fit, each predicted by formulas without it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edgekd.config import EncoderModel, load_model, load_target
from edgekd.engines.processes import Processes
from edgekd.pipeline.costing import count_busy, know_costs, list_design
from edgekd.pipeline.fitting_budget import open_space
from edgekd.pipeline.road import TOLERATED
from edgekd.pipeline.sizing import JUDGING, compiled_step, measured_step, open_sizing
from edgekd.progress import Progress, silent
from edgekd.sizing.budget import FIGURES
from edgekd.sizing.measured import load_measured

HERE = Path(__file__).parent
TABLE = HERE.parent / "docs" / "results" / "sizing-cost.md"
TARGETS = ("lambda-x86", "intel-openvino")
COUNT, SEED, TEXTS = 30, 24, 300
ASKED = {
    "p50_ms": "10 % and 25 %",
    "p95_ms": "10 % and 25 %",
    "cold_start_ms": "20 %",
    "peak_rss_mib": "10 %",
    "artifact_mib": "0.5 %",
}


def main() -> None:
    """Fit, draw, measure and write the table."""
    words = (__doc__ or "").format(count=COUNT, seed=SEED, rounds=JUDGING.rounds, texts=TEXTS)
    lines = ["# Costs of students, predicted", "", *words.splitlines()]
    for name in TARGETS:
        lines += ["", f"## {name}", "", *judge(name)]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(TABLE)


@contextmanager
def show(title: str) -> Iterator[Progress]:
    """Show nothing but what is noted."""
    yield silent


def judge(name: str) -> list[str]:
    """Return the table of one target."""
    target, teacher = load_target(name), load_model("minilm-l6")
    assert isinstance(teacher, EncoderModel)
    sizing = open_sizing(target, "intent", teacher, show, lambda words: print(words, file=sys.stderr))
    space = open_space(sizing, ())
    shapes = list(space.shapes(target))
    known = know_costs(sizing, shapes)
    drawn = space.draw(target, COUNT, SEED, list_design(sizing, shapes))
    engine = sizing.context.engine
    failed = Processes(engine).run_all([compiled_step(sizing, shape) for shape in drawn], TOLERATED)
    measured = [
        load_measured(engine.make(measured_step(sizing, shape, as_asked=True)).path)
        for shape in drawn
        if compiled_step(sizing, shape) not in failed
    ]
    lines = [
        f"Fitted to {len(known.measured)} shapes, {count_busy(sizing, shapes)} of them beside other work; "
        f"{len(measured)} judged of {len(drawn)}.",
        "",
        "| | asked | median error | 90th percentile | within 10 % | in interval | left out, median | 90th |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    costs = [known.model.predict_measured(entry) for entry in measured]
    for figure in FIGURES:
        pairs = [(entry.of(figure), cost.of(figure)) for entry, cost in zip(measured, costs, strict=True)]
        errors = np.array([abs(value - guess.value) / value for value, guess in pairs])
        inside = np.mean([guess.low <= value <= guess.high for value, guess in pairs])
        own = np.abs(1 - 1 / np.array(known.model.errors[figure]))
        middle, most = np.quantile(own, (0.5, 0.9))
        lines.append(
            f"| {figure} | {ASKED[figure]} | {np.median(errors):.1%} | {np.quantile(errors, 0.9):.1%} | "
            f"{np.mean(errors <= 0.1):.0%} | {inside:.0%} | {middle:.1%} | {most:.1%} |"
        )
    lines += ["", "| shape | p50 ms, measured | predicted | p95 ms, measured | predicted |"]
    lines += ["| --- | ---: | ---: | ---: | ---: |"]
    for entry, cost in zip(measured, costs, strict=True):
        lines.append(
            f"| {entry.shape.name} | {entry.p50_ms:.3g} | {cost.p50_ms.value:.3g} | {entry.p95_ms:.3g} | "
            f"{cost.p95_ms.value:.3g} |"
        )
    return lines


if __name__ == "__main__":
    main()
