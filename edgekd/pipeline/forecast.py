"""What a run is about to train and compile, and what of it the cache has: said before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from edgekd.config import Target
from edgekd.data.taskdata import TaskData
from edgekd.engines.look import find_made
from edgekd.engines.step import Step
from edgekd.errors import MissingRuntimeError
from edgekd.pipeline.context import Context
from edgekd.pipeline.road import count_variants, plan_learning, plan_variants


@dataclass(frozen=True)
class Forecast:
    """What a run makes, and what of it is there already; a variant is a student x build of one target."""

    teacher: str
    fine_tunes: bool
    training_rows: int
    has_teacher: bool
    students: Mapping[str, bool]
    """By name: whether it is cached."""
    targets: tuple[str, ...]
    variants: int
    cached_variants: int

    @property
    def lines(self) -> tuple[str, ...]:
        """The same in words, one to three lines."""
        to_distil = [name for name, is_cached in self.students.items() if not is_cached]
        to_compile = self.variants - self.cached_variants
        found = []
        if not self.has_teacher:
            how = f"fine-tune the teacher {self.teacher} on {self.training_rows:,} rows"
            found.append(how if self.fine_tunes else f"take the teacher {self.teacher} as it is")
        if to_distil:
            found.append(f"distil {', '.join(to_distil)}{_rest(len(self.students) - len(to_distil))}")
        if to_compile:
            targets = ", ".join(self.targets)
            found.append(
                f"compile {_count(to_compile, 'variant')} for {targets}{_rest(self.cached_variants)}"
            )
        if not found:
            compiled = f" and {self.variants} variants" if self.variants else ""
            names = ", ".join(self.students)
            found.append(f"nothing to train or compile: the teacher, {names}{compiled} are cached")
        return tuple(f"plan: {words}" for words in found)


def forecast(context: Context, data: TaskData, targets: Sequence[Target]) -> Forecast:
    """Ask the cache what a run for these targets will make; nothing is built or checked against its digest.

    What rests on something that is still to be made is to be made, too. `data` are the rows of this project.
    """
    ahead = plan_learning(context)
    made = find_made(context.store, [ahead.teacher, *ahead.students.values()])
    # Of the others nothing can be cached, and to plan them takes libraries that compile.
    students = {name: step for name, step in ahead.students.items() if step in made}
    compiled: list[Step] = []
    for target in targets:
        with suppress(MissingRuntimeError):  # cannot be compiled here, so it is not cached either
            variants = plan_variants(context, ahead.teacher, students, target, None)
            compiled += [variant.compiled for variant in variants]
    there = find_made(context.store, compiled)
    return Forecast(
        teacher=context.teacher.name,
        fine_tunes=context.project.teacher.fine_tune,
        training_rows=len(data.split("train")),
        has_teacher=ahead.teacher in made,
        students={name: step in made for name, step in ahead.students.items()},
        targets=tuple(target.name for target in targets),
        variants=sum(count_variants(context, target) for target in targets),
        cached_variants=sum(step in there for step in compiled),
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _rest(cached: int) -> str:
    return f" ({cached} more {'is' if cached == 1 else 'are'} cached)" if cached else ""
