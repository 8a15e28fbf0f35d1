"""Stages that compile: ONNX graph with its parity proof, then one artifact a build."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from edgekd.compile import Artifact, compile_graph, open_artifact
from edgekd.compile.choose import choose_build, deciding_libraries, serves
from edgekd.compile.compile import VERSION as COMPILER
from edgekd.compile.compile import Examples
from edgekd.config import Build, Hardware, Target
from edgekd.data.taskdata import TaskData
from edgekd.errors import ParityError
from edgekd.evaluate.bias import BiasFit
from edgekd.evaluate.calibration import fit_temperature
from edgekd.export.graph import Graph, open_graph
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.staging import run_stage
from edgekd.progress import Progress
from edgekd.serving.heads import Head
from edgekd.store import Stage, digest_file, digest_json, write_atomic

if TYPE_CHECKING:
    from torch import nn

    from edgekd.distill.student import Student
    from edgekd.distill.teacher import Teacher

_PARITY_TEXTS = 300
# Texts that students learnt from; they say which rows of a table are used.
_USED = ("train", "unlabelled")


@dataclass(frozen=True)
class Variant:
    """A student built one way: its artifact, or why there is none, and the bias fitted for floors."""

    name: str
    student: str
    build: Build
    artifact: Artifact | None
    problem: str = ""
    bias: BiasFit | None = None


def export_stage(context: Context, data: TaskData, source: Stage, model: str) -> Graph:
    """Export a student, or with `model` "teacher" the teacher; parity is proven on validation texts."""
    texts = data.split("validation").texts[:_PARITY_TEXTS]
    reads = {
        "weights": source.digest,
        "texts": len(texts),
        "rows": data.split("validation").digest,
        "libraries": library_versions("torch", "transformers", "onnx", "onnxscript", "onnxruntime"),
    }

    def build(folder: Path, progress: Progress) -> None:
        _export(source, model, texts, folder, progress)

    stage = run_stage(context, f"export/{model}", 1, reads, build)
    notes = json.loads((stage.path / "graph.json").read_text(encoding="utf-8"))
    return open_graph(
        stage.path / "student.onnx",
        stage.path / "tokenizer.json",
        student=model,
        kind=notes["kind"],
        head=Head("classify", tuple(notes["labels"])),
        max_tokens=notes["max_tokens"],
        load=lambda: _load(source, model)[0],
    )


def _load(source: Stage, model: str) -> tuple[nn.Module, Student | Teacher]:
    """Load what a stage trained, and what is known of it."""
    from edgekd.distill.student import load_module, open_student
    from edgekd.distill.teacher import load_whole, open_teacher

    if model == "teacher":
        teacher = open_teacher(source.path, source.digest)
        return load_whole(teacher), teacher
    student = open_student(source.path, source.digest)
    return load_module(student), student


def _export(source: Stage, model: str, texts: list[str], folder: Path, progress: Progress) -> None:
    import onnxruntime
    import torch

    from edgekd.distill.training.tokens import open_tokenizer
    from edgekd.export import export_graph, prove_parity
    from edgekd.export.graph import INPUT

    module, known = _load(source, model)
    kind: Literal["transformer", "static"] = getattr(known, "kind", "transformer")
    labels, limit = known.outputs, known.max_tokens
    tokenizer_json = (source.path / "tokenizer.json").read_text(encoding="utf-8")
    write_atomic(folder / "tokenizer.json", tokenizer_json)
    path = folder / "student.onnx"
    progress(0.1, "tracing")
    export_graph(
        module,
        folder / "tokenizer.json",
        path,
        student=model,
        kind=kind,
        head=Head("classify", labels),
        max_tokens=limit,
    )
    progress(0.6, f"parity on {len(texts)} texts")
    tokenizer = open_tokenizer(folder / "tokenizer.json", limit)
    rows = [tokenizer.encode(text).ids or [0] for text in texts]
    longest = [token for row in rows for token in row] * (1 + limit // max(1, len(rows)))
    rows += [longest[:length] for length in {1, 2, 3, limit // 2, limit}]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def in_torch(ids: Sequence[int]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(module(torch.tensor([list(ids)])).numpy()[0])

    def in_onnx(ids: Sequence[int]) -> npt.NDArray[np.float32]:
        return np.asarray(session.run(None, {INPUT: np.array([ids], np.int64)})[0][0])

    parity = prove_parity(
        in_torch, in_onnx, rows, [*texts, *["made of many texts"] * (len(rows) - len(texts))]
    )
    notes = {"kind": kind, "labels": labels, "max_tokens": limit}
    write_atomic(folder / "graph.json", json.dumps(notes, indent=1))
    found = {"texts": parity.texts, "worst_logit_difference": parity.worst}
    write_atomic(folder / "logs" / "parity.json", json.dumps(found, indent=1))


def compile_stage(
    context: Context,
    data: TaskData,
    graph: Graph,
    build: Build,
    hardware: Hardware,
    origin: dict[str, str],
    kept: tuple[str, ...] = (),
) -> Variant:
    """Compile a graph for one build; a build that fails its parity proof is a variant without artifact.

    Operators named in `kept` stay in fp32.
    """
    recipe, runtime = choose_build(build, hardware)
    calibration = data.split("calibration")
    reads = {
        "graph": graph.digest,
        "compiler": COMPILER,
        "recipe": [build.label, recipe.VERSION],
        **({} if build.rows is None else {"usage": [data.split(name).digest for name in _USED]}),
        **({"kept": sorted(kept)} if build.restore else {}),
        "runtime": build.runtime,
        "serving": _serving_code(),
        "rows": calibration.digest,
        "origin": origin,
        "libraries": library_versions(*deciding_libraries(recipe, runtime)),
    }
    name = f"{graph.student}.{build.runtime}.{build.label}"

    def make(folder: Path, progress: Progress) -> None:
        progress(0.1, "compiling, then answering calibration texts")
        examples = Examples(
            calibration.texts,
            lambda logits: fit_temperature(logits, calibration.classes),
            [text for name in _USED for text in data.split(name).texts] if build.rows else (),
        )
        artifact = compile_graph(
            graph,
            build,
            hardware,
            examples,
            task=context.project.task,
            provenance=origin,
            folder=folder / "artifact",
            kept=kept,
        )
        assert artifact.parity is not None
        notes = {"mean_error_share": artifact.parity.mean_error_share, "agreeing": artifact.parity.agreeing}
        write_atomic(folder / "logs" / "parity.json", json.dumps(notes, indent=1))

    try:
        stage = run_stage(context, f"compile/{name}", 1, reads, make)
    except ParityError as error:
        return Variant(name, graph.student, build, None, str(error))
    return Variant(name, graph.student, build, open_artifact(stage.path / "artifact"))


def name_origin(data: TaskData, teacher: Stage, student: Stage) -> dict[str, str]:
    """Name by their digests what an artifact was made from."""
    return {"data": data.digest, "teacher": teacher.digest, "student": student.digest}


def _serving_code() -> str:
    """Digest of the loader's source, which travels in every artifact."""
    import edgekd.serving

    folder = Path(edgekd.serving.__file__).parent
    return digest_json({str(f.relative_to(folder)): digest_file(f) for f in sorted(folder.rglob("*.py"))})


def compile_target(
    context: Context,
    data: TaskData,
    graphs: dict[str, Graph],
    target: Target,
    origins: dict[str, dict[str, str]],
    restored: Callable[[Graph, Build, Hardware], tuple[str, ...]],
) -> tuple[Variant, ...]:
    """Compile every student with every build of a target; `restored` names what a build leaves in fp32."""
    return tuple(
        compile_stage(
            context,
            data,
            graph,
            build,
            target.hardware,
            origins[name],
            restored(graph, build, target.hardware) if build.restore else (),
        )
        for name, graph in graphs.items()
        for build in target.builds
        if serves(build, graph.kind)
    )
