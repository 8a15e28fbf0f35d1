"""What every stage of one run shares."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import ValidationError

from edgekd.config import (
    EncoderModel,
    Project,
    StudentModel,
    Target,
    load_model,
    load_target,
)
from edgekd.data.source import describe_source
from edgekd.engines.process import Process
from edgekd.engines.step import Step
from edgekd.errors import ConfigError, EdgekdError
from edgekd.progress import Progress
from edgekd.store import Store, digest_json
from edgekd.tasks import Task, digest_task, load_task

# What lies in a run's folder beside its students and its targets, under the same parents.
_LOGGED = ("teacher", "label", "claims")
_EVIDENCE = ("bench", "rows", "people")
_NO_RESULT = {"workspace", "tracking", "licence", "checkpoint_minutes", "traffic"}
"""Settings that change no result, so that a run has one folder whatever they are."""


@dataclass(frozen=True)
class Context:
    """One project as it is run.

    Attributes:
        folder: Where its file lies.
        settings: What overrode keys of the file, as `key.sub=value`.
    """

    project: Project
    folder: Path
    show_progress: Callable[[str], AbstractContextManager[Progress]]
    note: Callable[[str], None]
    settings: tuple[str, ...] = ()

    @cached_property
    def task(self) -> Task:
        """What the model is for.

        Raises:
            ConfigError: the project names a task that there is not.
        """
        return load_task(self.project.task)

    @cached_property
    def task_reads(self) -> dict[str, str]:
        """What steps that ask the task read of it: its source, where it is not edgekd's own."""
        digest = digest_task(self.project.task)
        return {"task": digest} if digest else {}

    @cached_property
    def workspace(self) -> Path:
        """Folder of the stage cache, the runs and the registry."""
        return (self.folder / self.project.workspace).resolve()

    @cached_property
    def store(self) -> Store:
        """The stage cache."""
        return Store(self.workspace / "store")

    @cached_property
    def engine(self) -> Process:
        """What makes steps, in this process; it remembers what it has made."""
        return Process(self.store, self.show_progress, self.note)

    @cached_property
    def data(self) -> Step:
        """The step that reads, checks and splits the rows: what nearly every other one reads."""
        settings = self.project.data
        return Step(
            "data",
            3,
            "edgekd.pipeline.learning:build_data",
            settings={
                "data": settings.model_dump(mode="json"),
                "seed": self.project.seed,
                "task": self.project.task,
            },
            reads={"source": describe_source(settings, self.folder), **self.task_reads},
            how={"folder": str(self.folder)},
        )

    @cached_property
    def registry(self) -> Path:
        """Folder of promoted artifacts and the ledger."""
        return self.workspace / "registry"

    @cached_property
    def run_folder(self) -> Path:
        """Folder of this run: the project's name and the digest of its resolved settings and model files."""
        unset = {"claims"} if self.project.claims is None else set()  # a run's folder knew nothing of them
        taught = [self.teacher] if self.through is None else [self.teacher, self.through]
        settings = {
            "project": self.project.model_dump(mode="json", exclude=_NO_RESULT | unset),
            "models": [m.model_dump(mode="json", exclude_none=True) for m in (*self.students, *taught)],
            "weights": [
                self._describe_weights(weights)
                for m in (*taught, *self.students)
                if (weights := getattr(m, "weights", None)) is not None
            ],
            "targets": [t.model_dump(mode="json") for t in self.targets],
        }
        return self.workspace / "runs" / f"{self.project.name}-{digest_json(settings)[:8]}"

    def _describe_weights(self, weights: str) -> str:
        """Digest the weights that training starts from; the name stands for those that are not here."""
        from edgekd.distill.weights import describe_weights, find_weights

        try:
            return describe_weights(find_weights(weights, self.folder))
        except EdgekdError:
            return weights

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """The target files as they are for the task, with the project's objective where it has one."""
        for name in self.project.targets:
            if name in _EVIDENCE:
                raise ConfigError(
                    f"targets: '{name}' is a folder of each run's evidence; give the target another name"
                )
        found = (load_target(name, self.folder).of_task(self.project.task) for name in self.project.targets)
        objective = self.project.objective
        return tuple(t.model_copy(update={"objective": objective}) if objective else t for t in found)

    @cached_property
    def students(self) -> tuple[StudentModel, ...]:
        """The student files with what the project itself says put in."""
        models = []
        for entry in self.project.students:
            model = load_model(entry.model, self.folder)
            if entry.model in _LOGGED:
                raise ConfigError(
                    f"students: '{entry.model}' names a model that is no student in logs and evidence; give "
                    "the student's file another name"
                )
            if isinstance(model, EncoderModel):
                raise ConfigError(
                    f"students: '{entry.model}' is a teacher; name a transformer, narrow or static shape"
                )
            own = {key: value for key, value in entry if key != "model" and value is not None}
            if model.kind == "static" and own.get("pairs") == 0:
                raise ConfigError(f"students: '{entry.model}' is static: its pairs must be 1 or more, got 0")
            try:  # what a file and a project say together may be too large, where each is not
                models.append(type(model).model_validate({**dict(model), **own}))
            except ValidationError as error:
                words = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
                raise ConfigError(f"students: '{entry.model}': {words}") from None
        return tuple(models)

    @cached_property
    def teacher(self) -> EncoderModel:
        """The teacher file, or one made for a folder or hub name."""
        setting = self.project.teacher
        model = self._find_encoder(setting.model, "teacher.model")
        own = {"training": setting.training, "max_tokens": setting.max_tokens}
        return model.model_copy(update={key: value for key, value in own.items() if value is not None})

    @cached_property
    def through(self) -> EncoderModel | None:
        """The model between the teacher and its students; None where they learn from the teacher itself."""
        name = self.project.teacher.through
        return None if name is None else self._find_encoder(name, "teacher.through")

    def _find_encoder(self, given: str, key: str) -> EncoderModel:
        if ":" in given or (self.folder / given / "config.json").is_file():
            name = given.partition("@")[0].rstrip("/").rsplit("/", 1)[-1].lower()
            return EncoderModel(kind="encoder", name=name, weights=given)
        found = load_model(given, self.folder)
        if not isinstance(found, EncoderModel):
            raise ConfigError(f"{key}: '{given}' is a student shape; name an encoder")
        return found


def library_versions(*names: str) -> dict[str, str]:
    """Versions of installed libraries, without importing them; absent ones are left out."""
    return {name: found for name in names if (found := _find_version(name)) is not None}


@cache
def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
