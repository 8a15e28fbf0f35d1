"""The step that finds which operators a build leaves in fp32, on validation rows."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekd.compile import compile_graph
from edgekd.compile.choose import choose_build, deciding_libraries
from edgekd.compile.compile import VERSION as COMPILER
from edgekd.compile.compile import Examples
from edgekd.config import Build, Hardware, Slice
from edgekd.data.slices import slice_masks
from edgekd.engines.step import Inputs, Settings, Step
from edgekd.evaluate.scorer import JudgedRows
from edgekd.pipeline.answering import read_answers
from edgekd.pipeline.context import Context, library_versions
from edgekd.pipeline.exporting import open_exported
from edgekd.pipeline.opening import open_rows, open_task
from edgekd.progress import Progress
from edgekd.serving import load
from edgekd.serving.heads import open_reader
from edgekd.store import write_atomic

_VERSION = 4
_RESULT, _LOG = "restored.json", Path("logs") / "restored.json"


def restore_step(
    context: Context, name: str, models: tuple[Step, Step], answers: tuple[Step, Step], build: Build
) -> Step:
    """Search for one build of a student; `models` are the student and its graph.

    `answers` are the teacher's and the student's to validation rows, both in PyTorch and without a bias.
    """
    student, graph = models
    taught, exact = answers
    recipe, runtime = choose_build(build, any_hardware(build))
    proven = [entry for entry in context.project.slices if entry.tier == "prove"]
    return Step(
        f"restore/{name}.{build.runtime}.{build.label}",
        _VERSION,
        "edgekd.pipeline.restoring:build_restored",
        settings={
            "model": name,
            "build": build.model_dump(mode="json"),
            "slices": [entry.model_dump(mode="json") for entry in proven],
        },
        inputs={
            "data": context.data.part("calibration", "validation"),
            "student": student,
            "graph": graph,
            "taught": taught,
            "exact": exact,
        },
        reads={
            "compiler": COMPILER,
            "recipe": recipe.VERSION,
            "libraries": library_versions("torch", *deciding_libraries(recipe, runtime, build.runtime)),
            **context.task_reads,
        },
    )


def any_hardware(build: Build) -> Hardware:
    """Return hardware that a build goes with: what it makes is the same for any."""
    return Hardware(arch="x86_64", gpu=build.runtime == "aotinductor", memory_mib=1)


def build_restored(folder: Path, settings: Settings, inputs: Inputs, progress: Progress) -> None:
    """Write the names of the graph's nodes that stay in fp32, and why they do into the log."""
    import onnx
    import torch

    from edgekd.compile.restore import restore
    from edgekd.compile.sensitivity import list_operators, measure_shifts
    from edgekd.compile.yardstick import Yardstick
    from edgekd.distill.lean import make_lean
    from edgekd.distill.lists import list_requests
    from edgekd.distill.towers import TwoTowers

    build = Build.model_validate(settings["build"])
    proven = [Slice.model_validate(entry) for entry in settings["slices"]]
    task, data = open_task(inputs["data"].path), open_rows(inputs["data"].path)
    rows, calibration = data.split("validation"), data.split("calibration")
    teacher, exact = (
        task.scorer.serve(read_answers(inputs[name].path, rows)) for name in ("taught", "exact")
    )
    judged = JudgedRows(rows.targets, rows.outputs, proven, slice_masks(rows, proven))
    yardstick = Yardstick(task.scorer, judged, teacher, exact)
    graph = open_exported(inputs["graph"].path, inputs["student"], settings["model"])
    assert graph.load is not None
    operators = list_operators(onnx.load(graph.path))
    read = open_reader(graph.tokenizer, graph.max_tokens, graph.head)
    examples, lists = list_requests(rows.requests)
    # Of two towers an example is a query's run and a candidate's, one after the other.
    ids = [[token for run in read(example) for token in run] or [0] for example in examples]
    module = make_lean(graph.load().eval(), torch.arange(1, 17).reshape(2, 8), graph.max_tokens)
    if graph.head.separator is not None:
        module = TwoTowers(module, graph.head.separator)
    progress(0.0, f"what {len(operators)} operators' rounding does to {len(ids)} answers")
    shifts = measure_shifts(
        module, ids, yardstick.standing, operators, None if len(ids) == len(rows) else lists
    )
    made = 0

    def answer(kept: frozenset[str]) -> npt.NDArray[np.float32]:
        nonlocal made
        made += 1
        progress(made / (made + 3), f"evaluation {made}: {len(kept)} of {len(operators)} in fp32")
        with tempfile.TemporaryDirectory() as place:
            compile_graph(
                graph,
                build,
                any_hardware(build),
                Examples(calibration.requests),
                task=task.name,
                provenance={},
                folder=Path(place) / "artifact",
                kept=kept,
            )
            return load(Path(place) / "artifact").outputs(rows.requests)

    steps = restore(operators, shifts, yardstick, answer)
    notes = {
        "operators": [one.name for one in operators],
        "work": shifts.work.tolist(),
        "without_rows": yardstick.without_rows,
        "steps": [step.to_json() for step in steps],
    }
    write_atomic(folder / _RESULT, json.dumps(sorted(notes["steps"][-1]["restored"]), indent=1))
    write_atomic(folder / _LOG, json.dumps(notes, indent=1))


def read_restored(path: Path) -> tuple[str, ...]:
    """Read the names of the nodes that stay in fp32 from a step's folder."""
    return tuple(json.loads((path / _RESULT).read_text(encoding="utf-8")))


def describe_restored(name: str, path: Path) -> list[str]:
    """Say which slices are still over their margin: no operator that can be restored loses there.

    And for which ones nothing could be restored, as there are no rows to judge them by.
    """
    notes = json.loads((path / _LOG).read_text(encoding="utf-8"))
    last = notes["steps"][-1]
    over = ", ".join(bound["slice"] for bound in last["bounds"] if bound["high"] > bound["goal"])
    restored, unjudged = len(last["restored"]), ", ".join(notes["without_rows"])
    return [
        *([f"{name}: still over its margin with {restored} restored: {over}"] if over else []),
        *([f"{name}: nothing is restored for what no validation row judges: {unjudged}"] if unjudged else []),
    ]
