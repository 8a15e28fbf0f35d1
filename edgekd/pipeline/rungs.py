"""Steps of a search: a student is taught for one rung, and answers the validation rows."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field, TypeAdapter

from edgekd.config import StaticModel, StudentModel, TransformerModel
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.distill.rung import Rung
from edgekd.engines.processes import Processes
from edgekd.engines.step import Inputs, Settings, Step
from edgekd.errors import ConfigError, DataError, TrainingError
from edgekd.evaluate.predictions import Predictions
from edgekd.evaluate.scorer import JudgedRows
from edgekd.evaluate.slice_rows import SliceRows
from edgekd.pipeline.answering import read_answers, reference_step
from edgekd.pipeline.context import Context
from edgekd.pipeline.learning import distil_step
from edgekd.pipeline.opening import TEACHER, open_task
from edgekd.progress import Progress
from edgekd.sizing.curve import Rated
from edgekd.sizing.halving import Ladder
from edgekd.sizing.quality import check_easy
from edgekd.sizing.search import Judgement
from edgekd.store import write_atomic

_TOLERATED = (TrainingError, ConfigError, DataError)
"""What a student may fail with: it is left out of the search then."""
_SPENT = "spent.json"
_STUDENTS: TypeAdapter[StudentModel] = TypeAdapter(Annotated[StudentModel, Field(discriminator="kind")])
Values = npt.NDArray[np.float64]


def rung_step(
    context: Context, guide: Step, labels: Step, model: StudentModel, rung: Rung, before: Step | None
) -> Step:
    """Teach a student for one rung; `before` is the one that it goes on from."""
    taught = distil_step(context, guide, labels, model)
    return Step(
        f"size/taught/{model.name}",
        1,
        "edgekd.pipeline.rungs:build_rung",
        settings={**taught.settings, "rung": asdict(rung)},
        inputs={
            **taught.inputs,
            "read": read_step(context, guide, labels, model),
            **({} if before is None else {"before": before}),
        },
        reads=taught.reads,
        how={key: taught.how[key] for key in ("weights", "labels") if key in taught.how},
    )


def read_step(context: Context, guide: Step, labels: Step, model: StudentModel) -> Step:
    """Read what there is to learn as students with this vocabulary and limit do, once for all of them."""
    kept, most = model.vocabulary, model.max_tokens
    reader: StudentModel
    if model.kind == "static":
        reader = StaticModel(kind="static", name="static", vocabulary=kept, max_tokens=most)
    else:
        weights = model.weights if model.kind == "transformer" else None
        reader = TransformerModel(
            kind="transformer",
            name="transformer",
            layers=(0,),
            weights=weights,
            vocabulary=kept,
            max_tokens=most,
        )
    taught = distil_step(context, guide, labels, reader)
    return Step(
        f"size/read/{reader.name}-{model.vocabulary}v-{model.max_tokens}t",
        1,
        "edgekd.pipeline.rungs:build_read",
        settings=taught.settings,
        inputs=taught.inputs,
        reads=taught.reads,
        how={key: taught.how[key] for key in ("weights", "labels") if key in taught.how},
    )


def build_read(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the tokenizer, which tokens it keeps, and the ids of all texts."""
    from edgekd.distill.distil import read_lesson
    from edgekd.distill.teacher import open_teacher
    from edgekd.pipeline.lesson import gather_lesson

    teacher = inputs["teacher"]
    opened = open_teacher(teacher.path, teacher.digest)
    read_lesson(_model(settings), opened, gather_lesson(settings, inputs), folder)


def _model(settings: Settings) -> StudentModel:
    """Return the student of a step's settings, with its weights where they lie here."""
    model = dict(settings["model"])
    if "weights" in model:
        model["weights"] = settings["weights"]
    return _STUDENTS.validate_python(model)


def build_rung(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the student at the end of its branch, the trunk beside it, and what it took."""
    from edgekd.distill.distil import GoingOn, distil_rung
    from edgekd.distill.examples import Session
    from edgekd.distill.teacher import open_teacher
    from edgekd.pipeline.lesson import gather_lesson

    began, ours = time.monotonic(), time.process_time()
    teacher, rung = inputs["teacher"], Rung(**settings["rung"])
    before = inputs["before"].path if "before" in inputs else None
    distil_rung(
        _model(settings),
        open_teacher(teacher.path, teacher.digest),
        gather_lesson(settings, inputs),
        folder,
        Session(open_task(inputs["rows"].path).name, settings["seed"], settings["threads"]),
        GoingOn(rung, before, inputs["read"].path),
        on_progress=progress,
    )
    spent = {
        "rows": rung.rows_shown,
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - ours,
    }
    write_atomic(folder / "logs" / _SPENT, json.dumps(spent, indent=1))


@dataclass(frozen=True)
class Spent:
    """What trainings took: rows shown, and seconds of processors."""

    rows: int = 0
    cpu_seconds: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.rows + other.rows, self.cpu_seconds + other.cpu_seconds)


def read_spent(folder: Path) -> Spent:
    """Read what a rung took, in its step's folder."""
    found = json.loads((folder / "logs" / _SPENT).read_text(encoding="utf-8"))
    return Spent(found["rows"], found["cpu_seconds"])


class RungJudge:
    """Makes rungs, and judges them on validation rows: no test row is read.

    Attributes:
        rungs: The last rung of each student, by its name.
    """

    def __init__(self, context: Context, data: TaskData, teacher: Step, guide: tuple[Step, Step]) -> None:
        """Teach with `guide`: the step of a teacher, and that of its labels; `teacher` is the reference."""
        self._context, self._data, self._teacher = context, data, teacher
        self._guide, self._labels = guide
        self.rungs: dict[str, Step] = {}

    def judge(self, ladder: Ladder, models: Sequence[StudentModel], number: int) -> Mapping[str, Judgement]:
        """Make one rung of some students; one that cannot be trained is told with its reason."""
        start = ladder.ends[number - 1] if number else 0
        rung = Rung(ladder.portion, start, ladder.ends[number], ladder.branches[number], ladder.warmup)
        steps = {
            model.name: rung_step(
                self._context, self._guide, self._labels, model, rung, self.rungs.get(model.name)
            )
            for model in models
        }
        answers = {name: self.answer_step(name, step) for name, step in steps.items()}
        failed = Processes(self._context.engine).run_all(answers.values(), _TOLERATED)
        self.rungs |= {name: step for name, step in steps.items() if answers[name] not in failed}
        found = {}
        for name, answer in answers.items():
            if answer in failed:
                found[name] = Judgement(problem=" ".join(str(failed[answer]).split()))
            else:
                found[name] = self._judge(self.values(answer), rung.rows_seen)
        return found

    def answer_step(self, name: str, source: Step) -> Step:
        """Answer the validation rows with a student that a step taught."""
        return reference_step(self._context, source, name, "validation")

    def values(self, answer: Step) -> Values:
        """Say how good each answer of a made step is, [row of overall]."""
        rows = self._data.split("validation")
        return self.values_of(read_answers(self._context.engine.make(answer).path, rows))

    def values_of(self, answers: Predictions) -> Values:
        """Say how good each answer is, [row of overall]."""
        served = self._context.task.scorer.serve(answers)
        values: Values = self._overall.values(served, self._judged.truth).astype(np.float64)
        return values

    @cached_property
    def _judged(self) -> JudgedRows:
        rows, slices = self._data.split("validation"), self._context.project.slices
        return JudgedRows(rows.targets, rows.outputs, slices, slice_masks(rows, slices))

    @cached_property
    def _overall(self) -> SliceRows:
        return next(p for p in self._context.task.scorer.select(self._judged) if p.slice.name == "overall")

    @cached_property
    def teacher_values(self) -> Values:
        """How good the teacher's answers are, [row of overall]."""
        return self.values(reference_step(self._context, self._teacher, TEACHER, "validation"))

    @cached_property
    def _groups(self) -> list[npt.NDArray[np.bool_]]:
        """The rows of each slice, and of each target where there are a few, [row of overall]."""
        own = self._overall.rows
        groups = [mask[own] for name, mask in self._judged.masks.items() if name != "overall"]
        truth = self._judged.truth[own]
        if truth.ndim == 1 and np.issubdtype(truth.dtype, np.integer):
            groups += [truth == value for value in np.unique(truth)]
        return groups

    def _judge(self, values: Values, rows_seen: int) -> Judgement:
        lost = self.teacher_values - values
        error = float(lost.std() / np.sqrt(len(lost)))
        return Judgement(
            Rated(rows_seen, 100 * float(lost.mean()), 100 * error),
            check_easy(rows_seen, values, self.teacher_values, self._groups),
        )
