"""Choose what labels: the teacher in PyTorch, or a form of it whose labels are equal and come sooner."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekd.data.taskdata import TaskData
from edgekd.export.graph import Graph
from edgekd.measure.environment import read_environment
from edgekd.pipeline.compiling import export_stage
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.staging import run_stage
from edgekd.pipeline.teacher_forms import (
    COMPILED,
    COMPILING,
    HALF,
    compile_form,
    form_folder,
    forms_worth_a_try,
    missing_libraries,
    open_form,
    open_network,
)
from edgekd.progress import Progress
from edgekd.store import Stage, digest_json, write_atomic

if TYPE_CHECKING:
    from torch import nn

    from edgekd.distill.labels.labeller import Labeller
    from edgekd.distill.softlabels import Listed
    from edgekd.distill.teacher import Teacher

# Below these PyTorch is done sooner than another form is made and tried: about 50 s on two cores.
LEAST_TEXTS, LEAST_MULTIPLICATIONS = 4096, 3e12
SAMPLE, CALIBRATION = 2048, 128
COPY_KINDS = 3
"""Copies of a row from which on there is one with words that are the teacher's own."""
_LIBRARIES = ("torch", "transformers", "tokenizers", "numpy", *COMPILING)


def texts_to_label(data: TaskData, teacher: Stage, copies: int, seed: int) -> Listed:
    """List the texts to learn from; the teacher is asked for words of some."""
    from edgekd.distill.lexicon import make_lexicon
    from edgekd.distill.softlabels import list_texts
    from edgekd.distill.teacher import open_teacher

    if copies < COPY_KINDS:
        return list_texts(data, copies, seed)
    opened = open_teacher(teacher.path, teacher.digest)
    return list_texts(data, copies, seed, make_lexicon(opened, data.split("train").texts))


def choose_labeller(context: Context, data: TaskData, stage: Stage, texts: int) -> Labeller:
    """Return what labels so many texts: PyTorch float32, or the first form that is equal and faster.

    They are tried on this machine, once; a note says why nothing compiled is.
    """
    from edgekd.distill.reference import torch_labeller
    from edgekd.distill.teacher import open_teacher

    teacher = open_teacher(stage.path, stage.digest)
    network = open_network(teacher)
    exact = torch_labeller(network, threads=context.project.threads)
    if not _is_long(data, teacher, network, texts):
        return exact
    forms = forms_worth_a_try(read_environment(1).isa)
    if not forms:
        context.note("labeller: nothing faster is tried: this CPU has no instructions for int8 or bfloat16")
        return exact
    graph = _export(context, data, stage)
    forms = forms if graph else tuple(name for name in forms if name == HALF)
    copies = min(COPY_KINDS, context.project.distillation.augmentations)
    reads = {
        "teacher": stage.digest,
        "graph": graph.digest if graph else "",
        "rows": digest_json([data.split(name).digest for name in ("train", "unlabelled")]),
        "copies": copies,
        "seed": context.project.seed,
        "threads": context.project.threads,
        "machine": read_environment(1).cpu,
        "libraries": library_versions(*_LIBRARIES),
    }

    def build(folder: Path, progress: Progress) -> None:
        _try_all(context, data, stage, teacher, network, graph, forms, folder, progress)

    tried = run_stage(context, "labeller", 2, reads, build)
    choice = json.loads((tried.path / "labeller.json").read_text(encoding="utf-8"))
    if choice["name"] == exact.name:
        return exact
    trial = json.loads((tried.path / "logs" / "trials.json").read_text(encoding="utf-8"))[choice["name"]]
    chosen = open_form(choice["name"], tried.path, network, context.project.threads)
    return replace(chosen, notes=trial, exact=exact, gap=choice["gap"])


def _try_all(
    context: Context,
    data: TaskData,
    stage: Stage,
    teacher: Teacher,
    network: nn.Module,
    graph: Graph | None,
    forms: tuple[str, ...],
    folder: Path,
    progress: Progress,
) -> None:
    from edgekd.distill.labels.trial import try_labeller
    from edgekd.distill.learners.classify import Classify
    from edgekd.distill.reference import torch_labeller
    from edgekd.distill.teacher import teacher_tokens

    project = context.project
    copies = min(COPY_KINDS, project.distillation.augmentations)
    learn = texts_to_label(data, stage, copies, project.seed).learn
    order = np.random.default_rng(project.seed).permutation(len(learn.texts))
    first = min(CALIBRATION, len(order) // 4)
    calibration, sample = (
        teacher_tokens(teacher, [learn.texts[i] for i in part])
        for part in (order[:first], order[first : first + SAMPLE])
    )
    exact = torch_labeller(network, threads=project.threads)
    trials: dict[str, dict[str, float | str]] = {}
    choice: dict[str, float | str] = {"name": exact.name, "gap": 0.0}
    for name in forms:
        progress(0.0, f"{name} on {len(sample)} texts")
        try:
            if graph and name in COMPILED:
                compile_form(name, graph, calibration, folder)
            candidate = open_form(name, folder, network, project.threads)
            trial = try_labeller(exact, candidate, sample, Classify(teacher.outputs))
        except Exception as error:  # noqa: BLE001  what cannot be made or run here is no candidate
            trials[name] = {"problem": " ".join(str(error).split())[:200]}
            continue
        trials[name] = {**asdict(trial.agreement), "speedup": trial.speedup}
        if trial.is_better:
            choice = {"name": name, "gap": trial.gap}
            break
        shutil.rmtree(form_folder(name, folder), ignore_errors=True)
    write_atomic(folder / "labeller.json", json.dumps(choice, indent=1))
    write_atomic(folder / "logs" / "trials.json", json.dumps(trials, indent=1))


def _is_long(data: TaskData, teacher: Teacher, network: nn.Module, texts: int) -> bool:
    """Tell whether PyTorch would label for longer than it takes to look for something faster."""
    from torch import nn

    from edgekd.distill.teacher import teacher_tokens

    if texts < LEAST_TEXTS:
        return False
    train = data.split("train").texts
    some = teacher_tokens(teacher, train[:: max(1, len(train) // 256)])
    weights = sum(part.weight.numel() for part in network.modules() if isinstance(part, nn.Linear))
    return float(some.lengths.mean()) * texts * weights >= LEAST_MULTIPLICATIONS


def _export(context: Context, data: TaskData, teacher: Stage) -> Graph | None:
    """Export the teacher where all that compiles it is there; else say what is missing."""
    if missing := missing_libraries():
        context.note(
            f"labeller: no compiled teacher is tried without {', '.join(missing)}; "
            'for three times the speed: pip install "edgekd[onnx,intel]"'
        )
        return None
    try:
        return export_stage(context, data, teacher, "teacher")
    except Exception as error:  # noqa: BLE001  the exporter raises whatever it meets in a foreign model
        words = " ".join(str(error).split())[:200]
        context.note(f"labeller: no compiled teacher is tried: it cannot be exported: {words}")
        return None
