"""The order in which variants are tested, said by validation rows before the test rows are read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from edgekd.compile.artifact import read_fitted
from edgekd.config import Target
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.engines.step import Step
from edgekd.evaluate.arrays import Served
from edgekd.evaluate.scorer import JudgedRows
from edgekd.pipeline.answering import artifact_answers
from edgekd.pipeline.biasing import teacher_answers
from edgekd.pipeline.compiling import Variant
from edgekd.pipeline.context import Context
from edgekd.pipeline.holding import serve_rows


def order_of_testing(
    context: Context, data: TaskData, variants: Sequence[Variant], teacher: Step, target: Target
) -> tuple[str, ...]:
    """Name the built variants, the one that is likeliest to be proven first.

    That is the one whose worst proven slice lies least behind the best variant's there, counted in
    margins of that slice. Of an artifact with a policy what counts is what is served: the routed answers.
    """
    rows = data.split("validation")
    masks = slice_masks(rows, context.project.slices)
    slices = [entry for entry in context.project.slices if entry.tier == "prove"]
    scorer = context.task.scorer
    judged = JudgedRows(rows.targets, rows.outputs, slices, masks)
    chosen = [part for part in scorer.select(judged) if part.margin is not None]
    values = {}

    @cache
    def taught() -> Served:
        return scorer.serve(teacher_answers(context, data, teacher, "validation"))

    for variant in variants:
        if variant.artifact is None:
            continue
        if read_fitted(variant.artifact.path).routing:
            served = serve_rows(context, target, rows, variant.artifact, taught(), "validate").labels
        else:
            served = scorer.serve(artifact_answers(context, rows, variant.artifact, "validate"))
        found = [entry.values(served, judged.truth) for entry in chosen]
        values[variant.name] = [float(part.mean()) if len(part) else 0.0 for part in found]
    best = [max(column) for column in zip(*values.values(), strict=True)]

    def behind(name: str) -> tuple[float, str]:
        gaps = (
            (top - value) / (part.margin or 1.0)
            for top, value, part in zip(best, values[name], chosen, strict=True)
        )
        return max(gaps, default=0.0), name

    return tuple(sorted(values, key=behind))
