"""Measure more subjects than may be in memory together: in groups that share a reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgekd.measure.bench_file import FILE_NAME, save_bench
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.process_bench import SubjectBench
from edgekd.measure.result import BenchResult
from edgekd.measure.session import MAX_SUBJECTS, measure_subjects
from edgekd.measure.subject import Subject


def measure_groups(
    references: Sequence[Subject],
    others: Sequence[Subject],
    inputs: Sequence[str],
    folder: Path,
    plan: MeasurePlan,
    on_progress: Callable[[float, str], None],
    *,
    expected: Mapping[str, Sequence[str]] | None = None,
) -> BenchResult:
    """Measure as `measure_subjects` does; subjects that are too many in as few groups as hold them.

    Every group measures the references anew, and later groups call them `NAME (group 2)`. Two subjects of
    different groups are compared through them (`BenchResult.ratio`), so that a machine which is slower at one
    time than at the other does not decide. Samples of a group lie in its own folder below `folder`. There is
    at least one reference; `plan.precision` is about ratios to the first.
    """
    most = MAX_SUBJECTS - len(references)
    count = math.ceil(len(others) / most)
    if count <= 1:
        return measure_subjects([*references, *others], inputs, folder, plan, on_progress, expected=expected)
    size = math.ceil(len(others) / count)
    results = []
    for number in range(count):

        def show(share: float, words: str, number: int = number) -> None:
            on_progress((number + share) / count, f"group {number + 1} of {count}, {words}")

        named = [_name_in_group(reference, number) for reference in references]
        place = folder / _folder_of(number)
        subjects = [*named, *others[number * size : (number + 1) * size]]
        results.append(measure_subjects(subjects, inputs, place, plan, show, expected=expected))
    return _join(results, folder)


def _join(results: Sequence[BenchResult], folder: Path) -> BenchResult:
    """Write the groups' results as one; what a group measured keeps its place."""
    subjects = tuple(
        _place(subject, number) for number, result in enumerate(results) for subject in result.subjects
    )
    flags = dict.fromkeys(flag for result in results for flag in result.flags)
    whole = replace(
        results[0],
        subjects=subjects,
        conditions=tuple(found for result in results for found in result.conditions),
        flags=tuple(flags),
        folder=folder,
    )
    save_bench(whole)
    for result in results:
        (result.folder / FILE_NAME).unlink()
    return whole


def _place(subject: SubjectBench, group: int) -> SubjectBench:
    inside = _folder_of(group)
    processes = tuple(
        replace(
            process,
            samples=f"{inside}/{process.samples}",
            warmup=f"{inside}/{process.warmup}",
            answers=f"{inside}/{process.answers}",
        )
        for process in subject.processes
    )
    return replace(subject, processes=processes, group=group)


def _name_in_group(reference: Subject, number: int) -> Subject:
    return replace(reference, name=f"{reference.name} (group {number + 1})") if number else reference


def _folder_of(number: int) -> str:
    return f"group-{number + 1}"
