"""Say which steps the store has and which it does not; nothing is made or written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgekd.engines.step import Step, in_order
from edgekd.store import Stage, Store


@dataclass(frozen=True)
class Seen:
    """A step, and its result where the store has it.

    `seconds` is how long that took to make; of a step that is to be made, how long the newest result of its
    name took. None where it is not known.
    """

    step: Step
    stage: Stage | None
    seconds: float | None


def find_made(store: Store, steps: Iterable[Step]) -> dict[Step, Stage]:
    """Return the results of those steps, and of those they rest on, that the store has.

    What rests on something that is to be made is to be made, too. No file is held against its digest.
    """
    made: dict[Step, Stage] = {}
    for step in in_order(steps):
        if any(source not in made for source in step.sources):
            continue
        try:
            reads = step.key_reads(step.folders(made))
        except (OSError, ValueError, KeyError):  # damaged, so it will be made anew
            continue
        if stage := store.find(step.name, step.version, reads):
            made[step] = stage
    return made


def look(store: Store, steps: Iterable[Step]) -> list[Seen]:
    """List steps and all that they rest on, in an order in which they can be made; each result once."""
    order = in_order(steps)
    made = find_made(store, order)
    found: dict[object, Seen] = {}
    for step in order:
        stage = made.get(step)
        if stage is None:
            found[step] = Seen(step, None, store.took(step.name))
        else:
            found.setdefault((stage.name, stage.key), Seen(step, stage, stage.seconds))
    return list(found.values())
