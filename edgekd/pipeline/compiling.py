"""The step that compiles a graph for one build, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgekd.compile import Artifact, compile_graph, open_artifact
from edgekd.compile.choose import choose_build, deciding_libraries
from edgekd.compile.compile import VERSION as COMPILER
from edgekd.compile.compile import Examples
from edgekd.config import Build, Hardware
from edgekd.engines.step import Inputs, Part, Settings, Step, write_parts
from edgekd.evaluate.classify.bias import BiasFit
from edgekd.evaluate.classify.calibration import fit_temperature
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.exporting import open_exported
from edgekd.pipeline.opening import open_rows, open_task
from edgekd.pipeline.restoring import any_hardware, read_restored
from edgekd.progress import Progress
from edgekd.store import digest_file, digest_json, write_atomic

# Texts that students learnt from; they say which rows of a table are used.
_USED = ("train", "unlabelled")
_ARTIFACT, _MODEL = "artifact", "model"  # parts of the results of steps that write artifacts


@dataclass(frozen=True)
class Variant:
    """A student built one way: its artifact, or why there is none, and the bias fitted for floors."""

    name: str
    student: str
    build: Build
    artifact: Artifact | None
    problem: str = ""
    bias: BiasFit | None = None


@dataclass(frozen=True)
class Trained:
    """A model that is there or is to be made, and its graph; `teacher` is what it learnt from."""

    name: str
    source: Step
    teacher: Step
    graph: Step


def compile_step(
    context: Context, model: Trained, build: Build, hardware: Hardware, restored: Step | None = None
) -> Step:
    """Compile a model for one build; operators that `restored` names stay in fp32.

    What a build makes is the same for any hardware, so equal builds of several targets are one step.

    Raises:
        ConfigError: the build does not go with the hardware.
        MissingExtraError: a library is not installed.
    """
    recipe, runtime = choose_build(build, hardware)
    return Step(
        f"compile/{name_variant(model.name, build)}",
        2,
        "edgekd.pipeline.compiling:build_variant",
        settings={"model": model.name, "build": build.model_dump(mode="json"), "task": context.project.task},
        inputs={
            "data": context.data.part("all"),
            "teacher": model.teacher,
            "student": model.source,
            "graph": model.graph,
            **({} if restored is None else {"restored": restored}),
        },
        reads={
            "compiler": COMPILER,
            "recipe": recipe.VERSION,
            "serving": _serving_code(),
            "libraries": library_versions(*deciding_libraries(recipe, runtime, build.runtime)),
            **context.task_reads,
        },
    )


def name_variant(model: str, build: Build) -> str:
    """Name a model that is compiled for a build."""
    return f"{model}.{build.runtime}.{build.label}"


def artifact_of(step: Step) -> Part:
    """Name the artifact that a step writes."""
    return step.part(_ARTIFACT, at=_ARTIFACT)


def model_of(step: Step) -> Part:
    """Name that of the artifact which decides its outputs: not its bias, nor its policy."""
    return step.part(_MODEL, at=_ARTIFACT)


def place_artifact(folder: Path) -> Path:
    """Say where in a step's folder its artifact lies."""
    return folder / _ARTIFACT


def write_artifact_parts(folder: Path, artifact: Artifact) -> None:
    """Name the parts of a step's result that others read."""
    write_parts(folder, {_ARTIFACT: artifact.digest, _MODEL: artifact.model_digest})


def build_variant(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Compile, answer calibration texts, and write the artifact and how close it is to its graph."""
    build = Build.model_validate(settings["build"])
    data = open_rows(inputs["data"].path)
    calibration = data.split("calibration")
    graph = open_exported(inputs["graph"].path, inputs["student"], settings["model"])
    kept = read_restored(inputs["restored"].path) if build.restore else ()
    progress(0.1, "compiling, then answering calibration texts")
    task = open_task(inputs["data"].path)
    artifact = compile_graph(
        graph,
        build,
        any_hardware(build),
        Examples(
            calibration.requests,
            (lambda outputs: fit_temperature(outputs, calibration.classes))
            if task.scorer.is_softened
            else None,
            [text for name in _USED for text in data.split(name).requests] if build.rows else (),
        ),
        task=settings["task"],
        provenance={name: inputs[name].digest for name in ("data", "teacher", "student")},
        folder=place_artifact(folder),
        kept=kept,
    )
    assert artifact.parity is not None
    write_artifact_parts(folder, artifact)
    notes = {"mean_error_share": artifact.parity.mean_error_share, "agreeing": artifact.parity.agreeing}
    write_atomic(folder / "logs" / "parity.json", json.dumps(notes, indent=1))


def open_built(path: Path) -> Artifact:
    """Open the artifact in a step's folder."""
    return open_artifact(place_artifact(path))


@cache
def _serving_code() -> str:
    """Digest of the loader's source, which travels in every artifact."""
    import edgekd.serving

    folder = Path(edgekd.serving.__file__).parent
    return digest_json({str(f.relative_to(folder)): digest_file(f) for f in sorted(folder.rglob("*.py"))})
