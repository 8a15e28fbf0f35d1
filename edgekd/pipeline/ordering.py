"""The order in which variants are tested, said by validation rows before the test rows are read."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.predictions import load_predictions
from edgekd.evaluate.slices import select_rows
from edgekd.pipeline.answering import LOGITS, answer_stage
from edgekd.pipeline.compiling import Variant
from edgekd.pipeline.context import Context


def order_of_testing(context: Context, rows: TaskData, variants: Sequence[Variant]) -> tuple[str, ...]:
    """Name the built variants, the one that is likeliest to be proven first.

    That is the one whose worst proven slice lies least behind the best variant's there, counted in
    margins of that slice.
    """
    masks = slice_masks(rows, context.project.slices)
    slices = [entry for entry in context.project.slices if entry.tier == "prove"]
    chosen = [
        part for part in select_rows(slices, masks, rows.classes, rows.labels) if part.margin is not None
    ]
    values = {}
    for variant in variants:
        if variant.artifact is None:
            continue
        stage = answer_stage(context, rows, variant.artifact, "validate")
        labels = load_predictions(stage.path / LOGITS, rows.ids).labels
        hits = [entry.hits(labels, rows.classes) for entry in chosen]
        values[variant.name] = [float(found.mean()) if len(found) else 0.0 for found in hits]
    best = [max(column) for column in zip(*values.values(), strict=True)]

    def behind(name: str) -> tuple[float, str]:
        gaps = (
            (top - value) / (part.margin or 1.0)
            for top, value, part in zip(best, values[name], chosen, strict=True)
        )
        return max(gaps, default=0.0), name

    return tuple(sorted(values, key=behind))
