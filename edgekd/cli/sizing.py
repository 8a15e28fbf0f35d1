"""What `edgekd size` calls: read what is asked, and print which students fit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from edgekd.cli.outcome import Outcome
from edgekd.config import EncoderModel, load_model, load_target
from edgekd.errors import ConfigError
from edgekd.pipeline.costing import Known, require_runtimes
from edgekd.pipeline.fitting_budget import (
    Asked,
    find_fitting,
    open_space,
    predict_by_candidates,
    read_lengths,
)
from edgekd.pipeline.sizing import Sizing, open_sizing
from edgekd.progress import show_progress
from edgekd.single.bench import list_texts, read_texts
from edgekd.single.requests import COUNTS, USUAL, make_requests
from edgekd.sizing.answer import Costed, Fitting, join_limits, say
from edgekd.sizing.budget import CONFIDENCE, FIGURES, Budget, Guess

_TEACHER = "minilm-l6"
_LISTED, _MISSED = 8, 4
_MOST_REQUESTS = 60


@dataclass(frozen=True)
class Question:
    """What a person asks.

    Attributes:
        target: A file in targets/.
        texts: Texts like those that are answered; None for built-in ones.
        task: What students are for.
        models: Files in models/; empty for all that have ranges.
        candidates: How many each request has, where they have any; None as the target says.
        budget: Limits.
    """

    target: str
    texts: Path | None
    task: str
    models: tuple[str, ...]
    budget: Budget
    candidates: int | None = None


def answer_question(question: Question) -> Outcome:
    """List the students that fit, and those that just do not; exit code 1 where none does.

    Raises:
        BadInputError: limits contradict the target's, or a file cannot be read.
        MissingRuntimeError: the target or one of its runtimes is not here.
    """
    target = load_target(question.target).of_task(question.task)
    budget = join_limits(question.budget, target)  # before anything is read
    require_runtimes(target, target.builds)
    teacher = load_model(_TEACHER)
    if not isinstance(teacher, EncoderModel):
        raise ConfigError(f"models/{_TEACHER}.yaml: expected an encoder, got a student; rename your own file")

    def note(words: str) -> None:
        click.echo(words, err=True)

    sizing = open_sizing(target, question.task, teacher, show_progress, note)
    space = open_space(sizing, question.models)
    list(space.shapes(target))  # refuses an empty one before anything is made
    asked = _read(sizing, question, budget)
    found, known = find_fitting(sizing, space, asked)
    for words in known.notes:
        note(f"note: {words}")
    limits = asked.budget.limits
    document = _document(sizing, asked, found, known)
    if not found.fits:
        return Outcome((found.explain(limits),), {**document, "exit_code": 1}, 1)
    return Outcome(tuple(_lines(sizing, asked, found, known)), {**document, "exit_code": 0})


def _read(sizing: Sizing, question: Question, budget: Budget) -> Asked:
    given = () if question.texts is None else read_texts(question.texts).texts
    used = () if question.texts is None else list_texts(question.texts)
    source = "built-in messages" if question.texts is None else str(question.texts)
    lengths = read_lengths(sizing, given, used)
    if not sizing.is_paired:
        return Asked(budget, lengths, source, {})
    wanted = question.candidates or sizing.target.limits.candidates or USUAL
    by_candidates = {
        count: lengths.with_texts(make_requests(lengths.texts[:_MOST_REQUESTS], count))
        for count in sorted({*COUNTS, wanted})
    }
    return Asked(budget, by_candidates[wanted], f"{source}, {wanted} candidates each", by_candidates)


def _lines(sizing: Sizing, asked: Asked, found: Fitting, known: Known) -> list[str]:
    limits = asked.budget.limits
    said = ", ".join(f"{say(name)} {limit:g}" for name, limit in limits.items()) or "no limit"
    lines = [
        f"{sizing.target.name}, {sizing.task}: {said}; times of {asked.source}",
        f"{len(found.fits):,} of {len(found.fits) + len(found.misses):,} students fit "
        f"({len(found.shapes):,} shapes); the largest of them, with intervals at {CONFIDENCE:.0%}:",
        _HEADER,
    ]
    lines += [_row(costed) for costed in found.fits[:_LISTED]]
    if len(found.fits) > _LISTED:
        lines.append(f"  and {len(found.fits) - _LISTED:,} smaller ones; --json lists all")
    if near := found.misses[:_MISSED]:
        lines.append("just outside:")
        lines += [f"{_row(one)}  {say(one.binding)} by {one.over:.1%}" for one in near]
    if asked.by_candidates and found.fits:
        by_count = predict_by_candidates(known, found.fits[0].shape, asked)
        each = ", ".join(f"{count}: {_say_guess(guess)}" for count, guess in by_count.items())
        lines.append(f"p95 of {found.fits[0].shape.name} in ms by candidates: {each}")
    if any(costed.beyond for costed in (*found.fits[:_LISTED], *near)):
        lines.append("* larger than what was measured: the interval does not count that")
    if any(not costed.is_sure for costed in found.fits[:_LISTED]):
        lines.append("? fits as predicted, but its interval goes beyond a limit")
    return lines


_WIDTHS = (("p50 ms", 7), ("p95 ms", 22), ("memory MiB", 18), ("cold ms", 18), ("size MiB", 9))
_HEADER = f"  {'student and build':<62} " + " ".join(f"{name:>{width}}" for name, width in _WIDTHS)


def _row(costed: Costed) -> str:
    cost = costed.cost
    mark = "*" if costed.beyond else " " if costed.is_sure or not costed.fits else "?"
    return (
        f"{mark} {costed.shape.name:<62} {cost.p50_ms.value:>7.3g} {_say_guess(cost.p95_ms):>22} "
        f"{_say_guess(cost.peak_rss_mib):>18} {_say_guess(cost.cold_start_ms):>18} "
        f"{cost.artifact_mib.value:>9.3f}"
    )


def _say_guess(guess: Guess) -> str:
    return f"{guess.value:.3g} ({guess.low:.3g}-{guess.high:.3g})"


def _document(sizing: Sizing, asked: Asked, found: Fitting, known: Known) -> dict[str, Any]:
    by_candidates: dict[str, Any] = {}
    if asked.by_candidates and found.fits:
        guesses = predict_by_candidates(known, found.fits[0].shape, asked)
        by_candidates = {"p95_ms_by_candidates": {str(count): asdict(one) for count, one in guesses.items()}}
    return {
        "target": sizing.target.name,
        "task": sizing.task,
        "texts": asked.source,
        "limits": asked.budget.limits,
        "confidence": CONFIDENCE,
        "shapes": len(found.shapes),
        "meet_alone": dict(found.alone),
        "fits": [_describe(costed) for costed in found.fits],
        "misses": [_describe(costed) for costed in found.misses[:50]],
        "fitted_to": len(known.measured),
        "within": dict(known.model.within),
        **by_candidates,
    }


def _describe(costed: Costed) -> dict[str, Any]:
    return {
        "name": costed.shape.name,
        "model": costed.shape.model.model_dump(mode="json", exclude_none=True),
        "build": costed.shape.build.model_dump(mode="json", exclude_none=True),
        "threads": costed.shape.threads,
        "weights": costed.weights,
        "binding": costed.binding,
        "over": costed.over,
        "is_sure": costed.is_sure,
        "beyond": costed.beyond,
        **{name: asdict(costed.cost.of(name)) for name in FIGURES},
    }
