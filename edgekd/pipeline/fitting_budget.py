"""What fits a budget on a target, before anything is trained: needs no labelled rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.config import EncoderModel, ModelRange, StudentModel, load_model_or_range
from edgekd.errors import ConfigError, DataError
from edgekd.pipeline.costing import Known, know_costs
from edgekd.pipeline.opening import open_rows
from edgekd.pipeline.sizing import Sizing
from edgekd.resources import list_resources
from edgekd.serving.request import split_request
from edgekd.sizing.answer import Fitting, fit_budget, weigh
from edgekd.sizing.budget import Budget, Guess
from edgekd.sizing.reading import Lengths
from edgekd.sizing.shapes import Shape
from edgekd.sizing.space import Space


@dataclass(frozen=True)
class Asked:
    """What is asked of a space of shapes.

    Attributes:
        budget: With the target's own limits.
        lengths: The texts as students read them.
        source: Where the texts are from.
        by_candidates: The same requests with other numbers of candidates, by that number.
    """

    budget: Budget
    lengths: Lengths
    source: str
    by_candidates: Mapping[int, Lengths]


def open_space(sizing: Sizing, names: Sequence[str], folder: Path | None = None) -> Space:
    """Open model files as a space of shapes; without names all that have ranges.

    Raises:
        ConfigError: a name is no model file, or an encoder's; or no file has ranges.
    """
    files: list[ModelRange | StudentModel] = []
    for name in names or list_resources("models", folder):
        found = load_model_or_range(name, folder)
        if isinstance(found, EncoderModel):
            if names:
                raise ConfigError(f"--models {name}: is a teacher; name a range file or a student")
        elif names or isinstance(found, ModelRange):
            files.append(found)
    if not files:
        raise ConfigError(
            "no model file has ranges; write one (layers: 1..4), or name students with --models"
        )
    return Space(tuple(files), sizing.encoder.depth)


def read_lengths(sizing: Sizing, texts: Sequence[str], used: Sequence[str] = ()) -> Lengths:
    """Return how students would read texts; without any those of the built-in rows.

    Raises:
        DataError: texts are requests with candidates, and the task's are not, or the other way about.
    """
    from edgekd.distill.weights import load_tokenizer_json

    data = open_rows(sizing.context.engine.make(sizing.context.data).path)
    chosen = tuple(texts) or tuple(data.split("validation").requests)
    if not texts:
        used = data.split("train").requests
    wrong = sum(bool(split_request(text)[1]) != sizing.is_paired for text in chosen)
    if wrong:
        expected = (
            "a query with candidates, as rows with these columns" if sizing.is_paired else "a text alone"
        )
        raise DataError(f"{wrong} of {len(chosen)} texts are not what the task reads: expected {expected}")
    parts = tuple(part for text in used for part in _parts(text))
    return Lengths(load_tokenizer_json(sizing.location), chosen, parts, len(data.outputs))


def find_fitting(sizing: Sizing, space: Space, asked: Asked) -> tuple[Fitting, Known]:
    """Predict every shape's cost, and hold it against the budget.

    Raises:
        ConfigError: no shape can run on the target.
        MissingRuntimeError: the target or one of its runtimes is not here.
    """
    shapes = list(space.shapes(sizing.target))
    known = know_costs(sizing, shapes)
    model, lengths = known.model, asked.lengths

    def count_weights(shape: Shape) -> int:
        read = lengths.of(shape.model)
        return weigh(shape, sizing.encoder, read.rows, read.outputs)

    found = fit_budget(
        [shape for shape in shapes if model.knows(shape)],
        lambda shape: (model.predict(shape, lengths), model.beyond(shape, lengths)),
        count_weights,
        asked.budget.limits,
    )
    return found, known


def predict_by_candidates(known: Known, shape: Shape, asked: Asked) -> dict[int, Guess]:
    """Return the 95th percentile of a shape by how many candidates requests have."""
    return {
        count: known.model.predict(shape, lengths).p95_ms for count, lengths in asked.by_candidates.items()
    }


def _parts(text: str) -> list[str]:
    query, candidates = split_request(text)
    return [query, *candidates]
