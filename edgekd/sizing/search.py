"""Search for students that are good for what they cost, by short trainings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgekd.config import StudentModel
from edgekd.sizing.budget import Guess
from edgekd.sizing.curve import Rated, extrapolate
from edgekd.sizing.halving import Costs, Ladder, choose_promising
from edgekd.sizing.propose import Proposer
from edgekd.sizing.quality import EasyCheck, Quality, find_too_small


@dataclass(frozen=True)
class Judgement:
    """What one rung of one student showed; `problem` says why it could not be made, and is else empty."""

    rated: Rated | None = None
    easy: EasyCheck | None = None
    problem: str = ""


Judge = Callable[[Sequence[StudentModel], int], Mapping[str, Judgement]]
"""Makes a rung, counted from 0, of some students, and says what each showed, by its name."""


@dataclass(frozen=True)
class Asked:
    """What a search is about.

    Attributes:
        models: Students among which it searches.
        costs: What the builds of each cost, by its name; the first figure is its p95 in ms.
        ladder: How many begin, and how far each rung goes.
        whole_rows: Rows that each is shown when it is trained to the end, by its name.
        rows: Training rows that came with the data: a pass, for a student that is called too small.
        seed: Decides which students are proposed.
    """

    models: Sequence[StudentModel]
    costs: Mapping[str, Costs]
    ladder: Ladder
    whole_rows: Mapping[str, int]
    rows: int
    seed: int


def search(asked: Asked, judge: Judge, note: Callable[[str], None]) -> tuple[Quality, ...]:
    """Teach students rung by rung, and say how good each will get; those that could not be made are left out.

    The first rung is made in two halves: the second is proposed from what the first showed.
    """
    found: dict[str, list[Judgement]] = {}
    too_small: dict[str, str] = {}
    by_name = {model.name: model for model in asked.models}

    def make(models: Sequence[StudentModel], rung: int) -> None:
        for name, judgement in judge(models, rung).items():
            if judgement.rated is None:
                note(f"size: {name}: {judgement.problem}")
                found.pop(name, None)
                continue
            found.setdefault(name, []).append(judgement)
            checks = [one.easy for one in found[name] if one.easy is not None]
            if reason := find_too_small(checks, asked.rows):
                too_small[name] = reason
                note(f"size: {name} is too small: {reason}")

    proposer = Proposer(asked.models, asked.seed)
    begin = asked.ladder.survivors(0)
    for count in (begin - begin // 2, begin // 2):
        proposed = proposer.ask(count)
        make(proposed, 0)
        for model in proposed:
            for judgement in found.get(model.name, []):
                assert judgement.rated is not None
                p95_ms = min(cost[0] for cost in asked.costs[model.name])
                proposer.tell(model.name, judgement.rated.drop, p95_ms)
    for rung in range(1, len(asked.ladder.ends)):
        drops = {name: guess.value for name, guess in _guess(found, asked).items() if name not in too_small}
        going_on = choose_promising(asked.ladder.survivors(rung), drops, asked.costs)
        make([by_name[name] for name in going_on], rung)
    guesses = _guess(found, asked)
    return tuple(
        Quality(name, guesses[name], curve[-1].rows_seen, too_small.get(name), curve)
        for name, curve in _curves(found).items()
    )


def _curves(found: Mapping[str, Sequence[Judgement]]) -> dict[str, tuple[Rated, ...]]:
    return {name: tuple(one.rated for one in entries if one.rated) for name, entries in found.items()}


def _guess(found: Mapping[str, Sequence[Judgement]], asked: Asked) -> dict[str, Guess]:
    """Predict every student's drop at the end of its own training."""
    curves = _curves(found)
    guesses: dict[str, Guess] = {}
    for rows in sorted({asked.whole_rows[name] for name in curves}):
        told = extrapolate(curves, rows)
        guesses |= {name: told[name] for name in curves if asked.whole_rows[name] == rows}
    return guesses
