"""Stage that finds which operators a build leaves in fp32, on validation rows."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekd.compile import compile_graph
from edgekd.compile.choose import deciding_libraries
from edgekd.compile.compile import VERSION as COMPILER
from edgekd.compile.compile import Examples
from edgekd.config import Build, Hardware
from edgekd.data.slices import slice_masks
from edgekd.data.taskdata import TaskData
from edgekd.evaluate.slices import select_rows
from edgekd.export import Graph
from edgekd.pipeline.answering import reference_stage
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.staging import run_stage
from edgekd.plugins import load_plugin
from edgekd.progress import Progress
from edgekd.serving import load
from edgekd.store import Stage, write_atomic

VERSION = 2


def find_restored(
    context: Context,
    data: TaskData,
    teacher: Stage,
    student: Stage,
    graph: Graph,
    build: Build,
    hardware: Hardware,
) -> tuple[str, ...]:
    """Return the names of the nodes that this build leaves in fp32; none where it asks for no search."""
    if not build.restore:
        return ()
    rows = data.split("validation")
    taught = reference_stage(context, rows, teacher, "teacher").labels  # without a bias, as the student's are
    exact = reference_stage(context, rows, student, graph.student).labels
    return restore_stage(context, data, graph, build, hardware, taught, exact)


def restore_stage(
    context: Context,
    data: TaskData,
    graph: Graph,
    build: Build,
    hardware: Hardware,
    teacher: npt.NDArray[np.int64],
    exact: npt.NDArray[np.int64],
) -> tuple[str, ...]:
    """Return the names of the graph's nodes that stay in fp32.

    `teacher` and `exact` are what the teacher and the student in fp32 answer to validation rows [row].
    """
    rows, calibration = data.split("validation"), data.split("calibration")
    recipe, runtime = load_plugin("recipes", build.recipe), load_plugin("runtimes", build.runtime)
    proven = [entry for entry in context.project.slices if entry.tier == "prove"]
    reads = {
        "graph": graph.digest,
        "compiler": COMPILER,
        "recipe": [build.label, recipe.VERSION],
        "runtime": build.runtime,
        "isa": list(hardware.isa),
        "rows": [rows.digest, calibration.digest],
        "slices": [entry.model_dump(mode="json") for entry in proven],
        "answers": [teacher.tolist(), exact.tolist()],
        "libraries": library_versions("torch", *deciding_libraries(recipe, runtime)),
    }

    def search(folder: Path, progress: Progress) -> None:
        import onnx
        import torch

        from edgekd.compile.restore import restore
        from edgekd.compile.sensitivity import list_operators, measure_shifts
        from edgekd.compile.yardstick import open_yardstick
        from edgekd.distill.lean import make_lean
        from edgekd.serving.tokenize import open_tokenizer

        assert graph.load is not None
        yardstick = open_yardstick(graph.head, rows.classes, teacher, exact)
        operators = list_operators(onnx.load(graph.path))
        tokenize = open_tokenizer(graph.tokenizer, graph.max_tokens)
        ids = [tokenize(text) or [0] for text in rows.texts]
        module = make_lean(graph.load().eval(), torch.arange(1, 17).reshape(2, 8), graph.max_tokens)
        progress(0.0, f"what {len(operators)} operators' rounding does to {len(ids)} answers")
        shifts = measure_shifts(module, ids, yardstick, operators)
        made = 0

        def answer(kept: frozenset[str]) -> npt.NDArray[np.float32]:
            nonlocal made
            made += 1
            progress(made / (made + 3), f"evaluation {made}: {len(kept)} of {len(operators)} in fp32")
            with tempfile.TemporaryDirectory() as place:
                compile_graph(
                    graph,
                    build,
                    hardware,
                    Examples(calibration.texts),
                    task=context.project.task,
                    provenance={},
                    folder=Path(place) / "artifact",
                    kept=kept,
                )
                return load(Path(place) / "artifact").logits(rows.texts)

        masks = slice_masks(rows, proven)
        chosen = [
            part for part in select_rows(proven, masks, rows.classes, rows.labels) if part.margin is not None
        ]
        steps = restore(operators, shifts, chosen, yardstick, answer)
        notes = {
            "operators": [one.name for one in operators],
            "work": shifts.work.tolist(),
            "steps": [step.to_json() for step in steps],
        }
        write_atomic(folder / "logs" / "restored.json", json.dumps(notes, indent=1))

    name = f"restore/{graph.student}.{build.runtime}.{build.label}"
    stage = run_stage(context, name, VERSION, reads, search)
    notes = json.loads((stage.path / "logs" / "restored.json").read_text(encoding="utf-8"))
    last = notes["steps"][-1]
    over = [bound["slice"] for bound in last["bounds"] if bound["high"] > bound["goal"]]
    if over:  # what loses there is none of the operators that can be restored; the gate decides
        context.note(
            f"{name}: still over its margin with {len(last['restored'])} restored: {', '.join(over)}"
        )
    return tuple(last["restored"])
