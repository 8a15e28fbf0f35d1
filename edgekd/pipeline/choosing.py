"""From a project and a budget to the student that is worth training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekd.data.taskdata import TaskData
from edgekd.pipeline.context import Context
from edgekd.pipeline.fitting_budget import Asked, find_fitting, open_space
from edgekd.pipeline.needs import require_libraries
from edgekd.pipeline.opening import open_rows
from edgekd.pipeline.searching import size_target
from edgekd.pipeline.sizing import Sizing, open_sizing
from edgekd.serving.request import split_request
from edgekd.single.requests import USUAL, make_requests
from edgekd.sizing.answer import join_limits
from edgekd.sizing.budget import Budget
from edgekd.sizing.front import Front
from edgekd.sizing.reading import Lengths

_MOST_TEXTS = 500  # percentiles of predicted times change little beyond


def size_project(context: Context, target: str, budget: Budget, models: Sequence[str] = ()) -> Front:
    """Predict what every shape of the model files costs, and search among those that fit or nearly do.

    `models` names files in models/; without any, all that have ranges are taken.

    Raises:
        BadInputError: limits contradict the target's own, or a file cannot be read.
        MissingRuntimeError: the target or one of its runtimes is not here, or Optuna is not installed.
    """
    require_libraries(("optuna",))
    project = context.project.model_copy(update={"targets": (target,), "cascades": ()})
    context = replace(context, project=project)
    (found,) = context.targets
    limits = join_limits(budget, found)
    sizing = open_sizing(
        found, context.project.task, context.teacher, context.show_progress, context.note, context.folder
    )
    space = open_space(sizing, models, context.folder)
    asked = Asked(limits, _read_lengths(context, sizing), "validation rows", {})
    fitting, known = find_fitting(sizing, space, asked)
    for words in known.notes:
        context.note(f"size: {words}")
    priced = [(costed.shape, costed.cost) for costed in fitting.shapes]
    return size_target(context, found, limits, priced)


def _read_lengths(context: Context, sizing: Sizing) -> Lengths:
    """Read the project's own texts: validation rows are timed, training rows say which tokens are kept."""
    from edgekd.distill.weights import load_tokenizer_json

    data = open_rows(context.engine.make(context.data).path)
    texts: Sequence[str] = _spread(data)
    if sizing.is_paired:
        texts = make_requests(texts, sizing.target.limits.candidates or USUAL)
    taught = [text for name in ("train", "unlabelled") for text in data.split(name).requests]
    used = [part for text in taught for part in _parts(text)]
    return Lengths(load_tokenizer_json(sizing.location), tuple(texts), tuple(used), len(data.outputs))


def _spread(data: TaskData) -> list[str]:
    requests = list(data.split("validation").requests)
    step = max(1, len(requests) // _MOST_TEXTS)
    return requests[::step][:_MOST_TEXTS]


def _parts(text: str) -> list[str]:
    query, candidates = split_request(text)
    return [query, *candidates]
