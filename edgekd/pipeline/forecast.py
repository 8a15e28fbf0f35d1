"""What a run is about to train and compile, and what of it the cache has: said before it begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from edgekd.compile.choose import serves
from edgekd.config import Target
from edgekd.data.taskdata import TaskData
from edgekd.pipeline.compiling import compile_stage, export_stage, name_origin
from edgekd.pipeline.context import Context
from edgekd.pipeline.labelling import count_missing, label_stage
from edgekd.pipeline.learning import distil_stage, teacher_stage
from edgekd.pipeline.restoring import find_restored
from edgekd.progress import silent
from edgekd.store import Stage, Store

_T = TypeVar("_T")


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

    What rests on something that is still to be made is to be made, too.
    """
    peek = _Peeking(context.project, context.folder, lambda title: nullcontext(silent), lambda words: None)
    teacher, students = _look(lambda: teacher_stage(peek, data)), dict[str, Stage | None]()
    labels = None
    if teacher is not None and _look(lambda: count_missing(peek, data, teacher)) == 0:
        labels = _look(lambda: label_stage(peek, data, teacher))
    for model in context.students:
        students[model.name] = None
        if teacher is not None and labels is not None:
            students[model.name] = _look(lambda: distil_stage(peek, data, teacher, labels, model))  # noqa: B023
    kinds = {m.name: "static" if m.kind == "static" else "transformer" for m in context.students}
    variants = [
        (name, target, build)
        for target in targets
        for build in target.builds
        for name, kind in kinds.items()
        if serves(build, kind)
    ]
    cached = 0
    for name, target, build in variants:
        student = students[name]
        if teacher is None or student is None:
            continue
        with suppress(_NotThereError, OSError, ValueError):
            graph = export_stage(peek, data, student, name)
            restored = find_restored(peek, data, teacher, student, graph, build, target.hardware)
            origin = name_origin(data, teacher, student)
            compile_stage(peek, data, graph, build, target.hardware, origin, restored)
            cached += 1
    return Forecast(
        teacher=context.teacher.name,
        fine_tunes=context.project.teacher.fine_tune,
        training_rows=len(data.split("train")),
        has_teacher=teacher is not None,
        students={name: stage is not None for name, stage in students.items()},
        targets=tuple(target.name for target in targets),
        variants=len(variants),
        cached_variants=cached,
    )


class _NotThereError(Exception):
    """A stage is not in the cache."""


class _PeekingStore(Store):
    def run(
        self,
        name: str,
        version: int,
        reads: Mapping[str, Any],
        build: Callable[[Path], None],
        waiting: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> Stage:
        """Return what is there; build nothing."""
        stage = self.find(name, version, reads)
        if stage is None:
            raise _NotThereError(name)
        return stage


class _Peeking(Context):
    @cached_property
    def store(self) -> Store:
        """The same stage cache, in which nothing is built."""
        return _PeekingStore(self.workspace / "store")


def _look(ask: Callable[[], _T]) -> _T | None:
    try:
        return ask()
    except (_NotThereError, OSError, ValueError):  # the last two: damaged, so it will be made anew
        return None


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _rest(cached: int) -> str:
    return f" ({cached} more {'is' if cached == 1 else 'are'} cached)" if cached else ""
