"""The steps behind a cost model: untrained shapes that are made, exported, compiled and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from edgekd.compile import Artifact, open_artifact
from edgekd.config import Data, EncoderModel, Project, Slice, StudentModel, Target
from edgekd.config.project import StudentEntry
from edgekd.engines.process import Note, Show
from edgekd.engines.step import Inputs, Settings, Step
from edgekd.measure.environment import read_environment
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.result import BenchResult
from edgekd.measure.session import measure_subjects
from edgekd.measure.subject import Subject
from edgekd.pipeline.compiling import Trained, artifact_of, compile_step
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.exporting import export_step
from edgekd.pipeline.opening import open_rows
from edgekd.progress import Progress, silent
from edgekd.resources import cache_folder
from edgekd.sizing.design import untaught
from edgekd.sizing.measured import read_bench, save_measured
from edgekd.sizing.shapes import Shape
from edgekd.sizing.texts import COUNT, spread_lengths
from edgekd.sizing.work import Encoder

PLAN = MeasurePlan(rounds=2, seconds=0.3)
"""Short: the many shapes of a fit make up for it, since what is fitted is common to them."""
JUDGING = MeasurePlan(rounds=5, seconds=0.6)
"""Of a shape that a prediction is held against."""
_JUDGED = 300  # texts

_ROWS = {
    "mangaassist": {"train": 1200, "unlabelled": 0, "calibration": 64, "validation": 300, "test": 200}
    | {"critical": 0},
    "mangasearch": {"train": 200, "calibration": 16, "validation": 60, "test": 20, "candidates": 20},
}
_CARRIERS = {"mangaassist": "intent", "mangasearch": "rerank"}
"""The task of the built-in rows: a task of one's own has other answers, and the same work to do for them."""
_STUDENTS: TypeAdapter[StudentModel] = TypeAdapter(Annotated[StudentModel, Field(discriminator="kind")])


@dataclass(frozen=True)
class Sizing:
    """For whom costs are to be known.

    What is made lies in the user's cache, because it depends on no project.

    Attributes:
        target: As it is for the task.
        task: What models are for.
        teacher: Whose architecture and tokenizer students have.
        location: Where its weights are, as of `find_weights`.
        context: Steps and their store, of rows that edgekd brings.
    """

    target: Target
    task: str
    teacher: EncoderModel
    location: str
    context: Context

    @cached_property
    def encoder(self) -> Encoder:
        """The sizes of the teacher.

        Raises:
            ConfigError: its configuration cannot be read, or has none of them by their usual names.
        """
        from edgekd.distill.sizes import read_sizes
        from edgekd.distill.weights import load_config

        return Encoder(*read_sizes(load_config(self.location)))

    @property
    def is_paired(self) -> bool:
        """Whether a request has candidates."""
        return _source(self.context) == "mangasearch"


def _source(context: Context) -> str:
    return str(context.project.data.source)


def untrained_step(sizing: Sizing, model: StudentModel) -> Step:
    """Make a student with random weights."""
    from edgekd.distill.weights import describe_weights

    context = sizing.context
    return Step(
        f"size/untrained/{model.name}",
        2,
        "edgekd.pipeline.sizing:build_untrained",
        settings={"model": model.model_dump(mode="json", exclude_none=True)},
        inputs={"rows": context.data.part("labels", "train")},
        reads={
            "teacher": describe_weights(sizing.location),
            "libraries": library_versions("torch", "transformers", "tokenizers"),
        },
        how={"teacher": sizing.location, "is_paired": sizing.is_paired},
    )


def build_untrained(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the student."""
    from edgekd.distill.lists import parts_of
    from edgekd.distill.untrained import write_untrained

    data = open_rows(inputs["rows"].path)
    requests = data.split("train").requests
    write_untrained(
        _STUDENTS.validate_python(settings["model"]),
        settings["teacher"],
        data.outputs,
        parts_of(requests) if settings["is_paired"] else requests,
        folder,
        is_paired=settings["is_paired"],
    )


def compiled_step(sizing: Sizing, shape: Shape) -> Step:
    """Export and compile a shape that nothing has taught."""
    context, model = sizing.context, untaught(shape.model)
    made = untrained_step(sizing, model)
    trained = Trained(model.name, made, made, export_step(context, made, model.name))
    return compile_step(context, trained, shape.build, sizing.target.hardware)


def measured_step(sizing: Sizing, shape: Shape, taken: int = 0, *, as_asked: bool = False) -> Step:
    """Measure a compiled shape on texts of all lengths; `taken` counts how often that was done before.

    With `as_asked` it is measured for longer, on the built-in requests as they are.
    """
    same = Shape(**{**vars(shape), "model": untaught(shape.model)})
    compiled = compiled_step(sizing, shape)
    plan = asdict(replace(JUDGING if as_asked else PLAN, threads=shape.threads))
    return Step(
        f"size/measured/{same.name}",
        2,
        "edgekd.pipeline.sizing:build_measured",
        settings={
            "shape": {**vars(same), "model": same.model.model_dump(mode="json", exclude_none=True)},
            "plan": plan,
            "texts": _JUDGED if as_asked else COUNT,
            "as_asked": as_asked,
            "taken": taken,
        },
        inputs={
            "rows": sizing.context.data.part("validation"),
            "artifact": artifact_of(compiled),
        },
        reads={"environment": read_environment(shape.threads).fingerprint},
        alone=True,
    )


def build_measured(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Measure, keep every sample, and derive what a cost model reads."""
    shape = settings["shape"]
    model = _STUDENTS.validate_python(shape["model"])
    requests, count = open_rows(inputs["rows"].path).split("validation").requests, settings["texts"]
    texts = list(requests)[:count] if settings["as_asked"] else spread_lengths(requests, count)
    artifact = open_artifact(inputs["artifact"].path)
    plan = MeasurePlan(**settings["plan"])
    result = measure_shape(artifact, texts, folder, plan.threads, progress, plan)
    save_measured(read_bench(Shape(**{**shape, "model": model}), artifact, texts, result), folder)


def measure_shape(
    artifact: Artifact,
    texts: Sequence[str],
    folder: Path,
    threads: int,
    progress: Progress = silent,
    plan: MeasurePlan = PLAN,
) -> BenchResult:
    """Time one artifact with its own loader in fresh processes; samples are kept in `folder`."""
    subject = Subject("shape", "edgekd.shipped:open_shipped", (str(artifact.path), str(threads)))
    return measure_subjects([subject], texts, folder, replace(plan, threads=threads), progress)


def open_sizing(
    target: Target, task: str, teacher: EncoderModel, show: Show, note: Note, folder: Path | None = None
) -> Sizing:
    """Gather what costs depend on.

    Args:
        target: As it is for the task.
        task: A task whose requests are texts or lists of candidates.
        teacher: Whose students are meant.
        show: Shows progress.
        note: Is told what was made.
        folder: Where relative weights of the teacher start.

    Raises:
        ConfigError: there is no such task, or the teacher cannot be read.
        MissingExtraError: the teacher's package is not installed.
    """
    from edgekd.distill.weights import find_weights
    from edgekd.serving.heads import Head, takes_candidates
    from edgekd.tasks import load_task

    source = "mangasearch" if takes_candidates(Head(load_task(task).head)) else "mangaassist"
    project = Project(
        name="sizing",
        task=_CARRIERS[source],
        data=Data(source=source, options=_ROWS[source]),
        slices=(Slice(name="overall", margin=1.0),),
        students=_no_students(),
        targets=(target.name,),
        workspace=".",
    )
    place = cache_folder("sizing")
    location = find_weights(teacher.weights, folder or Path.cwd())
    return Sizing(target, task, teacher, location, Context(project, place, show, note))


def _no_students() -> Sequence[Any]:
    return TypeAdapter(tuple[StudentEntry, ...]).validate_python(["cut-2l"])
