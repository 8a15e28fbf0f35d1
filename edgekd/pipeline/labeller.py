"""Choose what labels: the teacher in PyTorch, or a form of it whose labels are equal and come sooner."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekd.data.taskdata import TaskData
from edgekd.engines.step import Folder, Inputs, Settings, Step
from edgekd.measure.environment import read_environment
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.exporting import export_step, open_exported
from edgekd.pipeline.opening import TEACHER, open_rows, open_task
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
from edgekd.serving.request import list_examples
from edgekd.store import write_atomic

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


def texts_to_label(data: TaskData, teacher: Folder | None, copies: int, seed: int) -> Listed:
    """List the texts to learn from; where there are many copies the teacher is asked for words of some."""
    from edgekd.distill.lexicon import make_lexicon
    from edgekd.distill.softlabels import list_texts
    from edgekd.distill.teacher import open_teacher

    if copies < COPY_KINDS:
        return list_texts(data, copies, seed)
    assert teacher is not None, "so many copies need words of the teacher's"
    opened = open_teacher(teacher.path, teacher.digest)
    return list_texts(data, copies, seed, make_lexicon(opened, data.split("train").texts))


def choose_labeller(context: Context, data: TaskData, teacher: Step, texts: int) -> Labeller:
    """Return what labels so many texts: PyTorch float32, or the first form that is equal and faster.

    They are tried on this machine, once; a note says why nothing compiled is.
    """
    from edgekd.distill.reference import torch_labeller
    from edgekd.distill.teacher import open_teacher

    stage = context.engine.make(teacher)
    opened = open_teacher(stage.path, stage.digest)
    network = open_network(opened)
    exact = torch_labeller(network, threads=context.project.threads)
    if not is_long(data, opened, network, texts):
        return exact
    forms = forms_worth_a_try(read_environment(1).isa)
    if not forms:
        context.note("labeller: nothing faster is tried: this CPU has no instructions for int8 or bfloat16")
        return exact
    graph = _export(context, teacher)
    forms = forms if graph else tuple(name for name in forms if name == HALF)
    tried = context.engine.make(labeller_step(context, teacher, graph, forms))
    choice = json.loads((tried.path / "labeller.json").read_text(encoding="utf-8"))
    if choice["name"] == exact.name:
        return exact
    trial = json.loads((tried.path / "logs" / "trials.json").read_text(encoding="utf-8"))[choice["name"]]
    chosen = open_form(choice["name"], tried.path, network, context.project.threads)
    return replace(chosen, notes=trial, exact=exact, gap=choice["gap"])


def labeller_step(context: Context, teacher: Step, graph: Step | None, forms: tuple[str, ...]) -> Step:
    """Try forms of the teacher on this machine; the machine decides which are worth it."""
    project = context.project
    return Step(
        "labeller",
        3,
        "edgekd.pipeline.labeller:build_labeller",
        settings={
            "copies": min(COPY_KINDS, project.distillation.augmentations),
            "seed": project.seed,
            "threads": project.threads,
        },
        inputs={
            "rows": context.data.part("train", "unlabelled", "held out"),
            "teacher": teacher,
            **({} if graph is None else {"graph": graph}),
        },
        reads={"machine": read_environment(1).cpu, "libraries": library_versions(*_LIBRARIES)},
        how={"forms": list(forms)},
    )


def build_labeller(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the form that labels, with its files, and what came of each that was tried."""
    from edgekd.distill.labels.trial import try_labeller
    from edgekd.distill.reference import torch_labeller
    from edgekd.distill.teacher import open_teacher, teacher_tokens

    source, threads = inputs["teacher"], settings["threads"]
    teacher = open_teacher(source.path, source.digest)
    network = open_network(teacher)
    graph = open_exported(inputs["graph"].path, source, TEACHER) if "graph" in inputs else None
    learn = texts_to_label(open_rows(inputs["rows"].path), source, settings["copies"], settings["seed"]).learn
    order = np.random.default_rng(settings["seed"]).permutation(len(learn.texts))
    first = min(CALIBRATION, len(order) // 4)
    calibration, sample = (
        teacher_tokens(teacher, [learn.texts[i] for i in part])
        for part in (order[:first], order[first : first + SAMPLE])
    )
    exact = torch_labeller(network, threads=threads)
    learner = open_task(inputs["rows"].path).learning.plain(teacher.outputs)
    trials: dict[str, dict[str, float | str]] = {}
    choice: dict[str, float | str] = {"name": exact.name, "gap": 0.0}
    for name in settings["forms"]:
        progress(0.0, f"{name} on {len(sample)} texts")
        try:
            if graph and name in COMPILED:
                compile_form(name, graph, calibration, folder)
            candidate = open_form(name, folder, network, threads)
            trial = try_labeller(exact, candidate, sample, learner)
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


def is_long(data: TaskData, teacher: Teacher, network: nn.Module, texts: int) -> bool:
    """Tell whether PyTorch would label for longer than it takes to look for something faster."""
    from torch import nn

    from edgekd.distill.teacher import teacher_tokens

    if texts < LEAST_TEXTS:
        return False
    train = data.split("train").requests
    some = teacher_tokens(teacher, [list_examples(one)[0] for one in train[:: max(1, len(train) // 256)]])
    weights = sum(part.weight.numel() for part in network.modules() if isinstance(part, nn.Linear))
    return float(some.lengths.mean()) * texts * weights >= LEAST_MULTIPLICATIONS


def _export(context: Context, teacher: Step) -> Step | None:
    """Export the teacher where all that compiles it is there; else say what is missing."""
    if missing := missing_libraries():
        context.note(
            f"labeller: no compiled teacher is tried without {', '.join(missing)}; "
            'for three times the speed: pip install "edgekd[onnx,intel]"'
        )
        return None
    try:
        step = export_step(context, teacher, TEACHER)
        context.engine.make(step)
    except Exception as error:  # noqa: BLE001  the exporter raises whatever it meets in a foreign model
        words = " ".join(str(error).split())[:200]
        context.note(f"labeller: no compiled teacher is tried: it cannot be exported: {words}")
        return None
    return step
