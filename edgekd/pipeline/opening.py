"""Open what earlier steps wrote, from their folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from edgekd.data.taskdata import TaskData, open_data
from edgekd.engines.step import Folder
from edgekd.progress import Progress
from edgekd.store import write_atomic
from edgekd.tasks import Task, load_task

if TYPE_CHECKING:
    from torch import nn

    from edgekd.distill.student import Student
    from edgekd.distill.teacher import Teacher

TEACHER = "teacher"
"""Stands for the teacher where a student's name may stand."""
Split = Literal["validation", "test"]
_TASK = "task.json"


@lru_cache(maxsize=2)
def open_rows(path: Path) -> TaskData:
    """Open the rows of the data step's folder, which never changes; the splits taken of them are kept."""
    return open_data(path, open_task(path).reader)


@lru_cache(maxsize=2)
def open_task(path: Path) -> Task:
    """Return the task that the rows in the data step's folder are of."""
    return load_task(json.loads((path / _TASK).read_text(encoding="utf-8")))


def write_task(folder: Path, name: str) -> None:
    """Say in the data step's folder which task its rows are of."""
    write_atomic(folder / _TASK, json.dumps(name))


def open_model(source: Folder, model: str) -> tuple[nn.Module, Student | Teacher]:
    """Load what is exported of a step's model, in eval mode, and what is known of it.

    `model` is a student's name or TEACHER.
    """
    from edgekd.distill.student import load_module, open_student
    from edgekd.distill.teacher import load_whole, open_teacher

    if model == TEACHER:
        teacher = open_teacher(source.path, source.digest)
        return load_whole(teacher), teacher
    student = open_student(source.path, source.digest)
    return load_module(student), student


def answer_requests(
    source: Folder, model: str, requests: Sequence[str], threads: int, progress: Progress
) -> npt.NDArray[np.float32]:
    """Answer requests with what a step trained, in PyTorch float32: outputs [row, output].

    Where a request has several examples the outputs are one for each, [row, place], NaN after the last.
    """
    import torch

    from edgekd.distill.lean import make_lean
    from edgekd.distill.lists import list_requests
    from edgekd.distill.reference import reference_outputs
    from edgekd.distill.student import load_scorer, open_student, student_tokens
    from edgekd.distill.teacher import load_whole, open_teacher, teacher_tokens

    examples, lists = list_requests(requests)
    if model == TEACHER:
        teacher = open_teacher(source.path, source.digest)
        module, tokens = load_whole(teacher), teacher_tokens(teacher, examples)
    else:
        student = open_student(source.path, source.digest)
        module, tokens = load_scorer(student), student_tokens(student, examples)
    module = make_lean(module, torch.arange(1, 17).reshape(2, 8))
    outputs = reference_outputs(module, tokens, threads=threads, on_progress=progress)
    return outputs if len(examples) == len(requests) else lists.fold(outputs)
